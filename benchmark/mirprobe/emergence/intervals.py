"""Statistics over test tracks with 95 % bootstrap intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mirprobe.core.bootstrap import Resampled, Statistic, resample, weighted_mean
from mirprobe.core.schema import Floats


@dataclass(frozen=True)
class Interval:
    """A score, or a difference of two scores, with its 95 % bootstrap interval over tracks."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


def measure(statistic: Statistic, n: int, seed: int = 0) -> Interval:
    """The value of a statistic over `n` tracks, with its interval."""
    return interval_of(resample(statistic, n, seed))


def interval_of(found: Resampled) -> Interval:
    """A resampled statistic as a value with its interval."""
    return Interval(found.value, *found.interval)


def mean_of(values: Sequence[float] | Floats) -> Statistic:
    """Mean over tracks; tracks whose value is NaN are left out."""
    known = [not np.isnan(value) for value in values]
    return weighted_mean([float(value) for value in values], [float(one) for one in known])
