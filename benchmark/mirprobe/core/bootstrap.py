"""Corpus statistics: metrics as functions of how often each track counts.

With every track counted once the value is the score; with a group of tracks counted zero times it
is one replicate of the jackknife, from which `mirprobe.core.intervals` computes intervals.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mirprobe.core.schema import Floats

Statistic = Callable[[Floats], Floats]
"""(replicates, tracks) counts -> (replicates,) values; NaN where one is undefined."""

Limits = tuple[float, float]
UNIT: Limits = (0.0, 1.0)
UNLIMITED: Limits = (-np.inf, np.inf)


@dataclass(frozen=True, eq=False)
class Counted:
    """A statistic with what is known about its tracks.

    Attributes:
        statistic: the statistic itself.
        weights: (tracks,) 0 for a track that it leaves out; None if it leaves out none.
        values: (tracks,) of which it is the mean over the tracks that it does not leave out; None
            if it is no such mean.
        limits: smallest and largest possible value.
    """

    statistic: Statistic
    weights: Floats | None = None
    values: Floats | None = None
    limits: Limits = UNLIMITED

    @property
    def tracks(self) -> int | None:
        """Number of tracks that it does not leave out; None if it leaves out none."""
        return None if self.weights is None else int((self.weights > 0).sum())

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

    inside = bool(((value >= 0) & (value <= 1)).all())
    plain = bool(np.isin(weight, (0, 1)).all())
    return Counted(statistic, weight, value if plain else None, UNIT if inside else UNLIMITED)


def mean(statistics: Sequence[Statistic]) -> Counted:
    """Mean of several statistics of the same tracks, which leave out the same tracks."""

    def statistic(counts: Floats) -> Floats:
        return np.asarray(np.mean([one(counts) for one in statistics], axis=0))

    values = [own for one in statistics if (own := getattr(one, "values", None)) is not None]
    low, high = np.mean([getattr(one, "limits", UNLIMITED) for one in statistics], axis=0)
    return Counted(
        statistic,
        getattr(statistics[0], "weights", None),
        np.mean(values, axis=0) if len(values) == len(statistics) else None,
        (float(low), float(high)),
    )


def point(statistic: Statistic, n: int) -> float:
    """The score: the statistic with each of `n` tracks counted once."""
    return float(statistic(np.ones((1, n)))[0])
