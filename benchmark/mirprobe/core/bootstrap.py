"""Corpus statistics, and their bootstrap over tracks.

A metric over a corpus is a function of how often each track counts. With every track counted once
its value is the score; with the counts of a resampling it is one bootstrap replicate.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mirprobe.core.schema import Floats

Statistic = Callable[[Floats], Floats]
"""(replicates, tracks) counts -> (replicates,) values; NaN where one is undefined."""

REPLICATES = 1000


@dataclass(frozen=True, eq=False)
class Counted:
    """A statistic that knows how many of its tracks have a score.

    Attributes:
        statistic: the statistic itself.
        tracks: number of tracks that it does not leave out; None if it leaves out none.
    """

    statistic: Statistic
    tracks: int | None

    def __call__(self, counts: Floats) -> Floats:
        """The values, as `Statistic`."""
        return self.statistic(counts)


def scored_tracks(statistic: Statistic, n: int) -> int:
    """How many of `n` tracks have a score: the attribute `tracks` of the statistic, or all."""
    tracks: int | None = getattr(statistic, "tracks", None)
    return n if tracks is None else tracks


def weighted_mean(values: Sequence[float], weights: Sequence[float] | None = None) -> Counted:
    """Weighted mean of `values` over tracks.

    Args:
        values: one score per track; tracks of weight 0 are excluded and may be NaN.
        weights: one per track, such as annotated seconds; all 1 by default.
    """
    weight = np.ones(len(values)) if weights is None else np.asarray(weights, dtype=np.float64)
    value = np.where(weight > 0, np.asarray(values, dtype=np.float64), 0.0)

    def statistic(counts: Floats) -> Floats:
        total = counts @ weight
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(counts @ (weight * value) / total, dtype=np.float64)

    return Counted(statistic, int((weight > 0).sum()))


def mean(statistics: Sequence[Statistic]) -> Counted:
    """Mean of several statistics of the same tracks, which leave out the same tracks."""

    def statistic(counts: Floats) -> Floats:
        return np.asarray(np.mean([one(counts) for one in statistics], axis=0))

    return Counted(statistic, getattr(statistics[0], "tracks", None))


def point(statistic: Statistic, n: int) -> float:
    """The score: the statistic with each of `n` tracks counted once."""
    return float(statistic(np.ones((1, n)))[0])


@dataclass(frozen=True, eq=False)
class Resampled:
    """A statistic with its bootstrap replicates.

    Two statistics of the same tracks and seed share their resamplings, so that their difference is
    a paired one.

    Attributes:
        value: on all tracks, each counted once.
        replicates: (replicates,) on resampled tracks.
    """

    value: float
    replicates: Floats

    def __sub__(self, other: Resampled) -> Resampled:
        return Resampled(self.value - other.value, self.replicates - other.replicates)

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval; NaN where no replicate is defined.

        The percentile interval, shifted by the bootstrap's estimate of bias (Efron & Tibshirani
        1993, sections 10.2 and 13.3): a ranking metric gains from tracks drawn twice. The shifted
        interval is clipped to the range of the replicates, and so stays within that of the metric.
        """
        values = self.replicates[np.isfinite(self.replicates)]
        if not len(values):
            return float("nan"), float("nan")
        bias = values.mean() - self.value
        low, high = (np.percentile(values, [2.5, 97.5]) - bias).clip(values.min(), values.max())
        return float(low), float(high)


def resample(statistic: Statistic, n: int, seed: int = 0) -> Resampled:
    """Evaluate a statistic on `n` tracks and on `REPLICATES` drawings of `n` with replacement.

    All replicates together draw every track equally often (the balanced bootstrap, Davison et al.
    1986), so that the bias of a mean is exactly zero.
    """
    drawn = np.tile(np.arange(n, dtype=np.int32), REPLICATES)
    np.random.default_rng(seed).shuffle(drawn)
    counts = np.empty((REPLICATES, n))
    for row, tracks in zip(counts, drawn.reshape(REPLICATES, n), strict=True):
        row[:] = np.bincount(tracks, minlength=n)
    del drawn
    return Resampled(point(statistic, n), np.asarray(statistic(counts)))


def bootstrap(statistic: Statistic, n: int, seed: int = 0) -> tuple[float, float]:
    """The 95 % interval of a statistic over `n` tracks; see `Resampled.interval`."""
    return resample(statistic, n, seed).interval
