"""Positive pairs: two segments of one track, cut from the bank where it lies, on the device.

Which segments a step sees is a pure function of the seed and the step, drawn on the CPU (a few
hundred integers, ahead of the device), so it is the same on every device, for any number of ranks
and after a restart. Only integers travel; the frames stay where they are.

Source: two random segments of a track, near each other in time (Meseguer-Brocal et al., CoJEPA,
pretraining). That the two share no frame is a choice made here.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from math import inf, isinf
from typing import NamedTuple, Protocol

import torch
from torch import Generator, Tensor

from mirprobe.core.errors import ConfigError
from mirprobe.core.hashing import digest
from mirprobe.pretraining.augment import SEMITONES, Warp, draw_warp


class TrackSpan(Protocol):
    """What is asked of a track in a bank: where its rows lie, and what it shares with others."""

    @property
    def group(self) -> str:
        """Tracks of one group sound alike, such as by instrumentation."""

    @property
    def work(self) -> str:
        """Tracks of one work are the same music, so none may be another's negative, unless the
        same players play it: in another key, say, or with other chords."""

    @property
    def start(self) -> int:
        """Its first row in the bank."""

    @property
    def frames(self) -> int:
        """How many rows are its."""


class PairBatch(NamedTuple):
    """One batch.

    Attributes:
        tracks: (batch,) indices into the tracks that can give pairs. Two are of one work only in
            a batch that is filled group by group, and then of one group.
        starts: (2, batch) rows of the bank at which the two segments of each track begin.
        warp: how the segments are transposed and stretched; None where they stay as they are.
    """

    tracks: Tensor
    starts: Tensor
    warp: Warp | None


class PairSampler:
    """Draws batches of pairs.

    Works are drawn evenly, then one of a work's tracks. Every start of it that has a partner is
    equally likely to be the first segment's; the second is drawn evenly from the starts at an
    allowed distance, before or behind.

    Args:
        tracks: to draw from; those too short for one pair are left out.
        length: frames in a segment.
        batch: pairs in a batch, each of another work, or in batches of one group of another track.
        frame_rate: frames a second.
        gaps: fewest and most seconds between the end of the earlier segment and the start of the
            later; the most may be infinite.
        same_group: the share of batches filled group by group, so that their negatives sound
            alike. Groups come in random order, larger ones sooner. All that a group has of a
            work comes together: its takes differ in little, and are each other's hardest negatives.
        variants: in batches filled group by group, the keys and tempi in which each track comes.
        seed: of all draws.

    Raises:
        ConfigError: fewer works with room for a pair than the batch needs, or impossible options.
    """

    def __init__(
        self,
        tracks: Sequence[TrackSpan],
        *,
        length: int,
        batch: int,
        frame_rate: float = 1.0,
        gaps: tuple[float, float] = (0.0, inf),
        same_group: float = 0.0,
        variants: int = 1,
        seed: int = 0,
    ) -> None:
        low, high = gaps
        if not 0 <= low <= high or isinf(low):
            raise ConfigError(f"gaps of {low} to {high} s: the larger must not be the smaller")
        if not 0 <= same_group <= 1:
            raise ConfigError(f"same_group={same_group}: a share of batches lies between 0 and 1")
        longest = max((track.frames for track in tracks), default=0)  # no gap is as long
        # between the two starts
        self.nearest, self.farthest = (
            length + round(min(gap * frame_rate, longest)) for gap in gaps
        )
        fit = [track for track in tracks if track.frames >= length + self.nearest]
        self.tracks = sorted(fit, key=lambda track: track.work)  # those of a work side by side
        works = [work for work, _ in groupby(self.tracks, key=lambda track: track.work)]
        if len(works) < max(batch, 2):
            raise ConfigError(
                f"{len(works)} of {len({track.work for track in tracks})} works to train on have "
                f"room for two segments of {length / frame_rate:.3g} s with {low:g} s between, "
                f"a batch needs {max(batch, 2)}: lower the batch or the gap, or add longer tracks"
            )
        if not 1 <= variants <= 2 * SEMITONES + 1 or batch % variants:
            raise ConfigError(
                f"variants={variants} in a batch of {batch}: give a divisor of it, "
                f"{2 * SEMITONES + 1} at most"
            )
        self.batch, self.same_group, self.seed = batch, same_group, seed
        self.variants = variants
        self._first = torch.tensor([track.start for track in self.tracks])  # (N,)
        self._last = torch.tensor([track.frames - length for track in self.tracks])  # last start
        self._group = _numbered([track.group for track in self.tracks])
        self._takes = _numbered([f"{track.group}\0{track.work}" for track in self.tracks])
        self._work = _numbered([track.work for track in self.tracks])
        self._versions = self._work.bincount()  # (works,)
        self._first_of = self._versions.cumsum(0) - self._versions  # each work's first track

    def draw(self, step: int) -> PairBatch:
        """The batch of a step."""
        generator = seeded("pairs", self.seed, step)
        together = torch.rand((), generator=generator) < self.same_group
        count, warp = len(self._first_of), None
        if together:
            tracks = self._alike(self._version(torch.arange(count), generator), generator)
            if self.variants > 1:
                tracks = tracks[: self.batch // self.variants]
                warp = draw_warp(len(tracks), self.variants, generator=generator)
                tracks = tracks.repeat_interleave(self.variants)
        else:
            works = torch.randperm(count, generator=generator)[: self.batch]
            tracks = self._version(works, generator)
        starts = self._first[tracks] + self._segments(self._last[tracks], generator)
        return PairBatch(tracks, starts, warp)

    def _version(self, works: Tensor, generator: Generator) -> Tensor:
        """One track of each work."""
        return self._first_of[works] + _below(self._versions[works], generator)

    def _alike(self, versions: Tensor, generator: Generator) -> Tensor:
        """A batch of these and their other takes, group by group, and work by work in a group.

        Efraimidis and Spirakis 2006 orders the groups.
        """
        tracks = torch.isin(self._takes, self._takes[versions]).nonzero().flatten()
        group = self._group[tracks]
        sizes = group.bincount()
        waits = -_uniform(sizes.shape, generator).log() / sizes  # an empty group waits for ever
        ranks = waits.argsort().argsort()
        order = ranks[group] + _uniform(self._first_of.shape, generator)[self._work[tracks]]
        return tracks[order.argsort(stable=True)[: self.batch]]

    def _segments(self, last: Tensor, generator: Generator) -> Tensor:
        """Two starts a track, counted from its first frame: (2, batch)."""
        near = self.nearest
        far = last.clamp(max=self.farthest)
        # starts with a partner: [0, last - near] and [near, last], which overlap in long tracks
        side = last - near + 1
        count = torch.minimum(2 * side, last + 1)
        first = _below(count, generator)
        first = torch.where((count > last) | (first < side), first, first - side + near)
        # partners before it: [first - far, first - near]; behind it: [first + near, first + far]
        lowest = (first - far).clamp(min=0)
        before = (first - near - lowest + 1).clamp(min=0)
        behind = (torch.minimum(first + far, last) - first - near + 1).clamp(min=0)
        pick = _below(before + behind, generator)
        second = torch.where(pick < before, lowest + pick, first + near + pick - before)
        return torch.stack((first, second))


def seeded(*key: str | int) -> Generator:
    """A generator on the CPU whose numbers depend on the key alone."""
    return Generator().manual_seed(int(digest(*key)[:15], 16))


def cut(rows: Tensor, starts: Tensor, length: int) -> Tensor:
    """Segments of the bank.

    Args:
        rows: (N, bins) all frames.
        starts: (...) the segments' first rows, on the same device.
        length: frames in a segment.

    Returns:
        (..., length, bins), of the bank's type.
    """
    return rows[starts[..., None] + torch.arange(length, device=rows.device)]


def _numbered(names: Sequence[str]) -> Tensor:
    """Equal names to equal numbers, from 0 in the names' order."""
    numbers = {name: number for number, name in enumerate(sorted(set(names)))}
    return torch.tensor([numbers[name] for name in names])


def _uniform(shape: Sequence[int], generator: Generator) -> Tensor:
    """Within (0, 1): its logarithm is finite."""
    return torch.rand(shape, generator=generator, dtype=torch.float64).clamp(min=2.0**-53)


def _below(count: Tensor, generator: Generator) -> Tensor:
    """Integers from 0 to count - 1, evenly; 2^53 steps make the unevenness immeasurable."""
    return (torch.rand(count.shape, generator=generator, dtype=torch.float64) * count).long()
