"""Scores of test tracks: their mean with its 95 % interval, and the rows of tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from mirprobe.core.bootstrap import Statistic, scored_tracks, weighted_mean
from mirprobe.core.intervals import Estimate, jackknife
from mirprobe.core.schema import Floats


class Interval(NamedTuple):
    """A score, or a difference of two scores, with its 95 % interval over tracks."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


@dataclass(frozen=True, eq=False)
class ScoredRow:
    """A row of `onsets.csv` or `similarity.csv`, and the score of each test track.

    Attributes:
        row: column -> value; a missing column is empty.
        tracks: (tracks,), NaN for a track without a value.
    """

    row: dict[str, Any]
    tracks: Floats

    @property
    def statistic(self) -> Statistic:
        """The mean over the tracks that have a value."""
        return mean_of(self.tracks)

    @property
    def count(self) -> int:
        """Number of tracks, including tracks without a value."""
        return len(self.tracks)


def scored_row(row: Mapping[str, Any], tracks: Floats) -> ScoredRow:
    """A row with the mean over tracks, its interval and the number of tracks with a value."""
    mean, count = mean_of(tracks), len(tracks)
    found = {**measure(mean, count)._asdict(), "n": scored_tracks(mean, count)}
    return ScoredRow({**row, **found}, tracks)


def measure(statistic: Statistic, n: int) -> Interval:
    """The value of a statistic over `n` tracks, with its interval."""
    return interval_of(jackknife(statistic, range(n)))


def interval_of(found: Estimate) -> Interval:
    """An estimate as a value with its interval."""
    return Interval(found.value, found.interval.low, found.interval.high)


def mean_of(values: Sequence[float] | Floats) -> Statistic:
    """Mean over tracks; tracks whose value is NaN are left out."""
    scores = np.asarray(values, dtype=np.float64)
    return weighted_mean(scores.tolist(), (~np.isnan(scores)).tolist())
