"""Corpus statistics: metrics as functions of how often each track counts.

With every track counted once the value is the score; with a group of tracks counted zero times it
is one replicate of the jackknife, from which `core.confidence_intervals` computes intervals.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mirprobe.core.schema import Floats

Limits = tuple[float, float]
UNIT: Limits = (0.0, 1.0)
UNLIMITED: Limits = (-np.inf, np.inf)


@dataclass(frozen=True, eq=False)
class Statistic:
    """A metric of a corpus, as a function of how often each of its tracks counts.

    A count of 0 leaves a track out, a count of 2 takes it twice.

    Attributes:
        function: (replicates, tracks) counts -> (replicates,) values; NaN where one is undefined.
        n: number of tracks.
        weights: (n,) 0 for a track that it leaves out; None if it leaves out none.
        values: (n,) of which it is the mean over the tracks that it does not leave out; None if it
            is no such mean.
        limits: smallest and largest possible value.
    """

    function: Callable[[Floats], Floats]
    n: int
    weights: Floats | None = None
    values: Floats | None = None
    limits: Limits = UNLIMITED

    @property
    def scored(self) -> NDArray[np.bool_]:
        """(n,) whether it takes a track into account."""
        return np.ones(self.n, np.bool_) if self.weights is None else np.asarray(self.weights) > 0

    @property
    def tracks(self) -> int:
        """Number of tracks that it takes into account."""
        return int(self.scored.sum())

    def value(self) -> float:
        """The score: each track counts once."""
        return float(self.function(np.ones((1, self.n)))[0])

    def resample(self, counts: NDArray[Any]) -> Floats:
        """The values for other numbers of times that each track counts.

        Args:
            counts: (replicates, n) whole numbers, such as those of `numpy.bincount` for each
                bootstrap sample of track indices.

        Returns:
            (replicates,) values; NaN where one is undefined.

        Raises:
            ValueError: `counts` is not such a table, or holds indices of tracks.
        """
        counts = np.asarray(counts)
        if counts.ndim != 2 or counts.shape[1] != self.n:
            raise ValueError(f"counts have the shape {counts.shape}, not (replicates, {self.n})")
        if counts.dtype.kind not in "iuf":
            raise ValueError(f"counts are of the type {counts.dtype}; give whole numbers")
        if not ((counts >= 0) & (counts == np.floor(counts)) & np.isfinite(counts)).all():
            raise ValueError("counts must be whole numbers of at least 0")
        if counts.size and counts.mean() > 4 and counts.max() < self.n:
            raise ValueError(
                f"each replicate counts {counts.sum(axis=1).mean():.0f} tracks on average, of "
                f"{self.n}; count indices of tracks with numpy.bincount(sample, minlength={self.n})"
            )
        return self.function(counts.astype(np.float64, copy=False))


def weighted_mean(values: Sequence[float], weights: Sequence[float] | None = None) -> Statistic:
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

    inside = bool(((value >= 0) & (value <= 1)).all())
    plain = bool(np.isin(weight, (0, 1)).all())
    limits = UNIT if inside else UNLIMITED
    return Statistic(statistic, len(values), weight, value if plain else None, limits)


def mean(statistics: Sequence[Statistic]) -> Statistic:
    """Mean of several statistics of the same tracks, which leave out the same tracks."""

    def statistic(counts: Floats) -> Floats:
        return np.asarray(np.mean([one.function(counts) for one in statistics], axis=0))

    values = [one.values for one in statistics if one.values is not None]
    low, high = np.mean([one.limits for one in statistics], axis=0)
    return Statistic(
        statistic,
        statistics[0].n,
        statistics[0].weights,
        np.mean(values, axis=0) if len(values) == len(statistics) else None,
        (float(low), float(high)),
    )
