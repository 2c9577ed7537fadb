"""Corpus statistics that can be evaluated on resampled tracks.

A metric over a corpus is a function of how often each track counts. Evaluated with every track
counted once it is the score; with multinomial counts it is one bootstrap replicate.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from mirprobe.core.schema import Floats

Statistic = Callable[[Floats], Floats]
"""(replicates, tracks) counts -> (replicates,) values; NaN where one is undefined."""

REPLICATES = 1000


def weighted_mean(values: Sequence[float], weights: Sequence[float] | None = None) -> Statistic:
    """Mean over tracks of `values`, weighted by e.g. annotated seconds.

    Args:
        values: one score a track; a track whose weight is 0 is left out, whatever its value.
        weights: one a track, all 1 by default.
    """
    weight = np.ones(len(values)) if weights is None else np.asarray(weights, dtype=np.float64)
    value = np.where(weight > 0, np.asarray(values, dtype=np.float64), 0.0)

    def statistic(counts: Floats) -> Floats:
        total = counts @ weight
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(counts @ (weight * value) / total, dtype=np.float64)

    return statistic


def mean(statistics: Sequence[Statistic]) -> Statistic:
    """Mean of several statistics on the same draw of tracks."""

    def statistic(counts: Floats) -> Floats:
        return np.asarray(np.mean([one(counts) for one in statistics], axis=0))

    return statistic


def point(statistic: Statistic, n: int) -> float:
    """The score itself: every one of `n` tracks counted once."""
    return float(statistic(np.ones((1, n)))[0])


def bootstrap(statistic: Statistic, n: int, seed: int = 0) -> tuple[float, float]:
    """95 % interval over `n` tracks drawn with replacement.

    The percentile interval, moved by the bootstrap's own estimate of bias (Efron & Tibshirani 1993,
    sections 10.2 and 13.3): a ranking metric gains from tracks drawn twice. Every track is drawn
    equally often over all replicates (the balanced bootstrap, Davison et al. 1986), so that a mean
    has a bias of exactly zero. The moved interval stays within the values that were found, and so
    within the metric's range.
    """
    return interval(statistic(resampled(n, seed)), point(statistic, n))


def resampled(n: int, seed: int = 0) -> Floats:
    """How often each of `n` tracks is drawn in each replicate, (REPLICATES, n); see `bootstrap`."""
    drawn = np.random.default_rng(seed).permutation(np.tile(np.arange(n), REPLICATES))
    cells = drawn + n * np.repeat(np.arange(REPLICATES), n)
    counts = np.bincount(cells, minlength=n * REPLICATES).reshape(REPLICATES, n)
    return counts.astype(np.float64)


def interval(values: Floats, value: float) -> tuple[float, float]:
    """95 % interval of replicates around the value on all tracks; see `bootstrap`."""
    values = values[np.isfinite(values)]
    if not len(values):
        return float("nan"), float("nan")
    bias = values.mean() - value
    low, high = (np.percentile(values, [2.5, 97.5]) - bias).clip(values.min(), values.max())
    return float(low), float(high)
