"""Batches of the examples of one split: embeddings read in shuffled chunks, with their targets.

Frames stay on the disk. An epoch reads chunks of consecutive frames in random order into a buffer
of bounded size, shuffles the buffer and divides it into batches: memory does not grow with the data
set.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mirprobe.core.schema import Floating, Frames

CHUNK = 128  # consecutive frames in one read of an epoch
BUFFER_BYTES = 96 << 20
READ = 4096  # most frames in one read when a track is read in order

Targets = NDArray[Any]


@dataclass(frozen=True, eq=False)
class SomeVariants:
    """Variants of the frames of a track.

    Attributes:
        frames: (time, variants, dim).
        first: index of the first.
        count: how many.
    """

    frames: Frames
    first: int
    count: int

    @property
    def shape(self) -> tuple[int, ...]:
        """(time, count, dim)."""
        return self.frames.shape[0], self.count, self.frames.shape[2]

    def read(self, start: int = 0, stop: int | None = None) -> Floating:
        """Rows `start` to `stop`."""
        return self.frames.read(start, stop)[:, self.first : self.first + self.count]


@dataclass(frozen=True, eq=False)
class Examples:
    """The inputs and targets of one split.

    Attributes:
        frames: of each track, (time, variants, dim).
        targets: of each track, (time,) class indices or (time, labels) relevances or numbers.
        row_bytes: memory that reading one example takes; with one variant that of all variants.
        members: consecutive variants that one probe joins.
    """

    frames: Sequence[Frames]
    targets: Sequence[Targets]
    row_bytes: int = 0
    members: int = 1

    def __post_init__(self) -> None:
        if not self.row_bytes:
            object.__setattr__(self, "row_bytes", 4 * int(np.prod(self.frames[0].shape[1:])))

    def only(self, variant: int) -> Examples:
        """The same examples with one variant, or with the members that a probe joins."""
        first = variant * self.members
        frames = [SomeVariants(own, first, self.members) for own in self.frames]
        return replace(self, frames=frames, row_bytes=self.row_bytes)

    @property
    def count(self) -> int:
        """Number of examples in all tracks."""
        return sum(len(target) for target in self.targets)

    def batches(self, size: int, rng: np.random.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        """All examples once in random order: (size, variants, dim) float32, and targets."""
        chunks = [
            (track, start)
            for track, target in enumerate(self.targets)
            for start in range(0, len(target), CHUNK)
        ]
        capacity = max(size, BUFFER_BYTES // self.row_bytes // size * size)
        buffer: list[tuple[Floating, Targets]] = []
        order, held = rng.permutation(len(chunks)), 0
        for number, index in enumerate(order, 1):
            buffer.append(self._chunk(*chunks[index]))
            held += len(buffer[-1][1])
            if held < capacity and number < len(order):
                continue
            x, y = _join(buffer)
            buffer.clear()
            shuffled = rng.permutation(len(y))
            # examples that do not fill a batch stay in the buffer; the last batch may be short
            whole = len(y) if number == len(order) else len(y) // size * size
            for start in range(0, whole, size):
                chosen = shuffled[start : min(start + size, whole)]
                yield _float(x[chosen]), torch.from_numpy(y[chosen])
            buffer = [(x[shuffled[whole:]], y[shuffled[whole:]])]
            held = len(buffer[0][1])

    def _chunk(self, track: int, start: int) -> tuple[Floating, Targets]:
        stop = min(start + CHUNK, len(self.targets[track]))
        return self.frames[track].read(start, stop), self.targets[track][start:stop]

    def in_order(self) -> Iterator[tuple[Tensor, Tensor]]:
        """All examples once, track by track; a read takes a quarter of the buffer at most."""
        rows = max(1, min(READ, BUFFER_BYTES // 4 // self.row_bytes))
        for frames, target in zip(self.frames, self.targets, strict=True):
            for start in range(0, len(target), rows):
                stop = min(start + rows, len(target))
                yield _float(frames.read(start, stop)), torch.from_numpy(target[start:stop])

    def mean_and_deviation(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of each dimension, both (variants, dim), in one pass."""
        total = torch.zeros(self.frames[0].shape[1:], dtype=torch.float64)
        square = torch.zeros_like(total)
        for x, _ in self.in_order():
            total += x.double().sum(0)
            square += x.double().square().sum(0)
        mean = total / self.count
        variance = (square / self.count - mean.square()).clamp_min(0)
        return mean.float(), variance.sqrt().float()

    def target_scale(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of the targets, (labels,); 1 for a constant target."""
        truth = np.concatenate(list(self.targets)).astype(np.float64)
        mean, deviation = truth.mean(axis=0), truth.std(axis=0)
        deviation = np.where(deviation > 1e-6 * np.abs(mean), deviation, 1.0)
        return torch.from_numpy(mean).float(), torch.from_numpy(deviation).float()

    def scale_targets(self, scale: tuple[Tensor, Tensor]) -> Examples:
        """The same examples with standardised targets.

        Args:
            scale: of `target_scale`.
        """
        mean, deviation = (part.numpy() for part in scale)
        scaled = [((own - mean) / deviation).astype(np.float32) for own in self.targets]
        return replace(self, targets=scaled)


def _join(parts: Sequence[tuple[Floating, Targets]]) -> tuple[Floating, Targets]:
    return np.concatenate([x for x, _ in parts]), np.concatenate([y for _, y in parts])


def _float(rows: Floating) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(rows, dtype=np.float32))


def shuffle_targets(targets: Sequence[Targets], rng: np.random.Generator) -> list[Targets]:
    """A permutation of the targets over all tracks.

    It keeps the frequencies of the labels and removes every relation to the audio, also the weak
    relation to the position in the track.

    Args:
        targets: of each track, (time, ...).
        rng: draws the permutation.
    """
    joined = np.concatenate(list(targets))
    ends = np.cumsum([len(target) for target in targets])[:-1]
    return np.split(joined[rng.permutation(len(joined))], ends)
