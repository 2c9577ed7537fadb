"""Sampling of positive pairs: two segments of one track.

The segments of a step depend only on the seed and the step. They are drawn on the CPU, so they are
equal on every device, for any number of processes and after a restart. Only indices are copied to
the device; the segments are cut there from the bank.

Source: two random segments of a track that are close in time (Meseguer-Brocal et al., CoJEPA,
section on pretraining). That the two segments do not overlap is a choice of this implementation.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from math import inf, isinf
from typing import NamedTuple

import numpy as np
import torch
from torch import Generator, Tensor

from mirprobe.core.errors import ConfigError
from mirprobe.core.hashing import digest
from mirprobe.pretraining.augment import SEMITONES, Warp, draw_warp
from mirprobe.pretraining.bank import BankTrack


class PairBatch(NamedTuple):
    """One batch.

    Attributes:
        tracks: (batch,), indices into the tracks of the sampler. Only a batch that is filled group
            by group has several tracks of a work, and those are of one group.
        starts: (2, batch), first rows in the bank of the two segments of each track.
        warp: parameters of the augmentation; None without augmentation.
    """

    tracks: Tensor
    starts: Tensor
    warp: Warp | None


class PairSampler:
    """Draws batches of pairs.

    Works are drawn uniformly, then one track of each work. Tracks of a work are not used as
    negatives of each other, except takes within one group, for example in another key or with other
    chords. The start of the first segment is drawn
    uniformly from all starts for which a second segment exists. The start of the second segment is
    drawn uniformly from the starts at an allowed distance, before or after the first.

    Args:
        tracks: tracks to draw from; tracks that are too short for a pair are left out.
        length: frames per segment.
        batch: pairs per batch, each of a different work, or of a different track in batches that
            are filled group by group.
        frame_rate: frames per second.
        gaps: minimum and maximum seconds between the end of the earlier segment and the start of
            the later segment; the maximum may be infinite.
        same_group: share of batches that are filled group by group, so that negatives sound alike.
            Groups are in random order, larger groups earlier on average. All takes of a work in a
            group are adjacent; they differ little and are hard negatives of each other.
        variants: number of augmented versions of each track in these batches, in other keys and
            tempi.
        seed: seed of all draws.

    Raises:
        ConfigError: fewer works are long enough than the batch needs, or options are invalid.
    """

    def __init__(
        self,
        tracks: Sequence[BankTrack],
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
        longest = max((track.frames for track in tracks), default=0)  # no gap can be longer
        reach = [length + round(min(gap * frame_rate, longest)) for gap in gaps]
        self.nearest, self.farthest = reach  # distances between the two starts
        fit = [track for track in tracks if track.frames >= length + self.nearest]
        self.tracks = sorted(fit, key=lambda track: track.work)  # tracks of a work are adjacent
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
        self.batch, self.same_group, self.seed, self.variants = batch, same_group, seed, variants
        self._first = torch.tensor([track.start for track in self.tracks])  # (N,)
        self._last = torch.tensor([track.frames - length for track in self.tracks])  # last start
        self._group = _numbers([track.group for track in self.tracks])
        self._takes = _numbers([f"{track.group}\0{track.work}" for track in self.tracks])
        self._work = _numbers([track.work for track in self.tracks])
        self._tracks_per_work = self._work.bincount()  # (works,)
        # first track of each work
        self._first_track = self._tracks_per_work.cumsum(0) - self._tracks_per_work

    def draw(self, step: int) -> PairBatch:
        """Draw the batch of a step."""
        generator = seeded("pairs", self.seed, step)
        together = torch.rand((), generator=generator) < self.same_group
        count, warp = len(self._first_track), None
        if together:
            tracks = self._grouped(self._draw_track(torch.arange(count), generator), generator)
            if self.variants > 1:
                tracks = tracks[: self.batch // self.variants]
                warp = draw_warp(len(tracks), self.variants, generator=generator)
                tracks = tracks.repeat_interleave(self.variants)
        else:
            works = torch.randperm(count, generator=generator)[: self.batch]
            tracks = self._draw_track(works, generator)
        starts = self._first[tracks] + self._segments(self._last[tracks], generator)
        return PairBatch(tracks, starts, warp)

    def _draw_track(self, works: Tensor, generator: Generator) -> Tensor:
        """Draw one track of each work."""
        return self._first_track[works] + _below(self._tracks_per_work[works], generator)

    def _grouped(self, versions: Tensor, generator: Generator) -> Tensor:
        """A batch of these tracks and their other takes, ordered by group, then by work.

        The random order of the groups is weighted by size (Efraimidis and Spirakis 2006).
        """
        tracks = torch.isin(self._takes, self._takes[versions]).nonzero().flatten()
        group = self._group[tracks]
        sizes = group.bincount()
        waits = -_uniform(sizes.shape, generator).log() / sizes  # an empty group comes last
        ranks = waits.argsort().argsort()
        order = ranks[group] + _uniform(self._first_track.shape, generator)[self._work[tracks]]
        return tracks[order.argsort(stable=True)[: self.batch]]

    def _segments(self, last: Tensor, generator: Generator) -> Tensor:
        """Draw two starts per track, counted from its first frame: (2, batch)."""
        near = self.nearest
        far = last.clamp(max=self.farthest)
        # possible first starts: [0, last - near] and [near, last], which overlap in long tracks
        side = last - near + 1
        count = torch.minimum(2 * side, last + 1)
        first = _below(count, generator)
        first = torch.where((count > last) | (first < side), first, first - side + near)
        # second starts before: [first - far, first - near]; after: [first + near, first + far]
        lowest = (first - far).clamp(min=0)
        before = (first - near - lowest + 1).clamp(min=0)
        after = (torch.minimum(first + far, last) - first - near + 1).clamp(min=0)
        pick = _below(before + after, generator)
        second = torch.where(pick < before, lowest + pick, first + near + pick - before)
        return torch.stack((first, second))


def seeded(*key: str | int) -> Generator:
    """A random generator on the CPU whose numbers depend only on the key."""
    return Generator().manual_seed(int(digest(*key)[:15], 16))


def cut(rows: Tensor, starts: Tensor, length: int) -> Tensor:
    """Cut segments from the bank.

    Args:
        rows: (N, bins), all frames.
        starts: (...), first rows of the segments, on the same device.
        length: frames per segment.

    Returns:
        (..., length, bins), in the number type of the bank.
    """
    return rows[starts[..., None] + torch.arange(length, device=rows.device)]


def _numbers(names: Sequence[str]) -> Tensor:
    """Number names from 0 in their order; equal names get equal numbers."""
    return torch.from_numpy(np.unique(names, return_inverse=True)[1])


def _uniform(shape: Sequence[int], generator: Generator) -> Tensor:
    """Uniform numbers within (0, 1), excluding 0, so that their logarithms are finite."""
    return torch.rand(shape, generator=generator, dtype=torch.float64).clamp(min=2.0**-53)


def _below(count: Tensor, generator: Generator) -> Tensor:
    """Uniform integers from 0 to count - 1; the deviation from uniform is below 2^-50."""
    return (torch.rand(count.shape, generator=generator, dtype=torch.float64) * count).long()
