"""The examples of one split: embeddings read in shuffled chunks, with their targets.

Frames stay on the disk. An epoch visits chunks of consecutive frames in random order, fills a
buffer of bounded size with them, shuffles the buffer and deals it out in batches: memory does not
grow with the data set.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mirprobe.core.schema import Floating, Frames

CHUNK = 128  # consecutive frames read at once
BUFFER_BYTES = 96 << 20
READ = 4096  # frames a step when a whole track is read in order

Targets = NDArray[Any]


@dataclass(frozen=True, eq=False)
class InMemory:
    """Frames that are an array already, such as the one row of a clip embedding."""

    array: Floating

    @property
    def shape(self) -> tuple[int, ...]:
        """(time, variants, dim)."""
        return self.array.shape

    def read(self, start: int = 0, stop: int | None = None) -> Floating:
        """Rows `start` to `stop`."""
        return self.array[start:stop]


@dataclass(frozen=True, eq=False)
class Examples:
    """The tracks of one split, ready for a probe.

    Attributes:
        frames: of each track, (time, variants, dim).
        targets: of each track, (time, conditions) class indices or (time, conditions, labels)
            relevances or numbers; condition 0 is the truth, condition 1 the shuffled control.
    """

    frames: Sequence[Frames]
    targets: Sequence[Targets]

    @property
    def count(self) -> int:
        """Examples in all tracks together."""
        return sum(len(target) for target in self.targets)

    def batches(self, size: int, rng: np.random.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        """One epoch in random order: (size, variants, dim) float32 and targets; all examples."""
        chunks = [
            (track, start)
            for track, target in enumerate(self.targets)
            for start in range(0, len(target), CHUNK)
        ]
        row_bytes = int(np.prod(self.frames[0].shape[1:])) * 4
        capacity = max(size, BUFFER_BYTES // row_bytes // size * size)
        left: tuple[Floating, Targets] | None = None
        waiting: list[tuple[Floating, Targets]] = []
        held = 0
        order = rng.permutation(len(chunks))
        for place, index in enumerate(order):
            waiting.append(self._chunk(*chunks[index]))
            held += len(waiting[-1][1])
            if held < capacity and place + 1 < len(order):
                continue
            x, y = _join([left, *waiting] if left else waiting)
            shuffled = rng.permutation(len(y))
            # what does not fill a batch waits for the next buffer; the last batch may be short
            whole = len(y) if place + 1 == len(order) else len(y) // size * size
            for start in range(0, whole, size):
                chosen = shuffled[start : min(start + size, whole)]
                yield _float(x[chosen]), torch.from_numpy(y[chosen])
            left = x[shuffled[whole:]], y[shuffled[whole:]]
            waiting, held = [], len(left[1])

    def _chunk(self, track: int, start: int) -> tuple[Floating, Targets]:
        stop = min(start + CHUNK, len(self.targets[track]))
        return self.frames[track].read(start, stop), self.targets[track][start:stop]

    def in_order(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Every example once, track after track, at most `READ` at a time."""
        for frames, target in zip(self.frames, self.targets, strict=True):
            for start in range(0, len(target), READ):
                stop = min(start + READ, len(target))
                yield _float(frames.read(start, stop)), torch.from_numpy(target[start:stop])

    def moments(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of every dimension, each (variants, dim), in one pass."""
        total = torch.zeros(self.frames[0].shape[1:], dtype=torch.float64)
        square = torch.zeros_like(total)
        for x, _ in self.in_order():
            total += x.double().sum(0)
            square += x.double().square().sum(0)
        mean = total / self.count
        variance = (square / self.count - mean.square()).clamp_min(0)
        return mean.float(), variance.sqrt().float()

    def unit(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of the true targets, (labels,); 1 for what varies not."""
        truth = np.concatenate([target[:, 0] for target in self.targets]).astype(np.float64)
        mean, deviation = truth.mean(axis=0), truth.std(axis=0)
        deviation = np.where(deviation > 1e-6 * np.abs(mean), deviation, 1.0)
        return torch.from_numpy(mean).float(), torch.from_numpy(deviation).float()

    def standardised(self, unit: tuple[Tensor, Tensor]) -> Examples:
        """The same with numbers for targets brought to a mean of 0 and a deviation of 1."""
        mean, deviation = (part.numpy() for part in unit)
        scaled = [((own - mean) / deviation).astype(np.float32) for own in self.targets]
        return Examples(self.frames, scaled)


def _join(parts: Sequence[tuple[Floating, Targets]]) -> tuple[Floating, Targets]:
    return np.concatenate([x for x, _ in parts]), np.concatenate([y for _, y in parts])


def _float(rows: Floating) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(rows, dtype=np.float32))


def with_shuffled(targets: Sequence[Targets], rng: np.random.Generator) -> list[Targets]:
    """Each example's target beside that of an example drawn without replacement, on axis 1.

    Drawn from all tracks together: what is shuffled keeps the labels' frequencies and loses every
    tie to the audio, also the weak one of what stands at the beginning of every track.
    """
    joined = np.concatenate(list(targets))
    both = np.stack([joined, joined[rng.permutation(len(joined))]], axis=1)
    return np.split(both, np.cumsum([len(target) for target in targets])[:-1])
