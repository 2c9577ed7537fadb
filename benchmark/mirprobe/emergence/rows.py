"""Rows of the tables: a value with its 95 % interval, the statistic behind it, and selection."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from mirprobe.core.bootstrap import Statistic, weighted_mean
from mirprobe.core.confidence_intervals import Estimate, jackknife
from mirprobe.core.schema import Floats, Track
from mirprobe.emergence.models import RANDOM
from mirprobe.probing.selection import nan_is_worst


class Interval(NamedTuple):
    """A score, or a difference of two scores, with its 95 % interval over groups of tracks."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


@dataclass(frozen=True, eq=False)
class ScoredRow:
    """A row of a table, and the statistic of the test tracks whose value it holds.

    Attributes:
        row: column -> value; a missing column is empty.
        groups: (tracks,), the group of each test track.
        score: gives the statistic; called at most once.
    """

    row: dict[str, Any]
    groups: Sequence[str]
    score: Callable[[], Statistic]

    @cached_property
    def statistic(self) -> Statistic:
        """The score as a function of how often each track counts."""
        return self.score()

    @cached_property
    def estimate(self) -> Estimate:
        """The score with its pseudo-values over groups."""
        return jackknife(self.statistic, self.groups)


def scored_row(row: Mapping[str, Any], tracks: Floats, groups: Sequence[str]) -> ScoredRow:
    """A row with the mean over tracks, its interval, and the number of tracks with a value.

    Args:
        row: its other columns.
        tracks: (tracks,), NaN for a track without a value.
        groups: (tracks,), the group of each track.
    """
    mean = weighted_mean(tracks.tolist(), (~np.isnan(tracks)).tolist())
    scored = ScoredRow({}, groups, lambda: mean)
    found = {**interval_of(scored.estimate)._asdict(), "n": mean.tracks}
    scored.row.update(row, **found)
    return scored


def groups_of(tracks: Iterable[Track]) -> list[str]:
    """The group of each track; a track without a group is its own."""
    return [track.group or track.id for track in tracks]


def interval_of(found: Estimate) -> Interval:
    """An estimate as a value with its interval."""
    ends = found.interval
    return Interval(found.value, ends.low, ends.high)


def select(rows: Iterable[ScoredRow], **where: Any) -> list[ScoredRow]:
    """The rows with these values."""
    return [one for one in rows if all(one.row[name] == v for name, v in where.items())]


def best(rows: Iterable[ScoredRow], **where: Any) -> ScoredRow | None:
    """The best row on validation among the rows with these values; the first of ties."""
    found = select(rows, **where)
    return max(found, key=lambda one: nan_is_worst(one.row["validation"]), default=None)


def best_of_each(rows: Sequence[ScoredRow], **choices: Iterable[Any]) -> list[ScoredRow]:
    """The best row on validation for each combination of values that has a row."""
    found = (
        best(rows, **dict(zip(choices, values, strict=True)))
        for values in product(*choices.values())
    )
    return [one for one in found if one]


def by_seed(rows: Iterable[ScoredRow]) -> list[list[ScoredRow]]:
    """The rows of random weights, one list per seed."""
    untrained = select(rows, model=RANDOM)
    return [select(untrained, seed=seed) for seed in values_of(untrained, "seed")]


def over_layers(rows: Sequence[ScoredRow]) -> float:
    """The mean over layers of one model's values, each of the layer's best row on validation."""
    tops = best_of_each(rows, layer=values_of(rows, "layer"))
    return float(np.mean([one.row["value"] for one in tops]))


def values_of(rows: Iterable[ScoredRow], column: str) -> list[Any]:
    """The different values of a column, in the order of the rows."""
    return list(dict.fromkeys(one.row[column] for one in rows))


def row_label(one: ScoredRow) -> str:
    """Model, layer, head and seed of a row: `trained layer 7`, `random layer 2 (seed 1)`."""
    row = one.row
    layer = f" layer {row['layer']}" if row["layer"] and row["layer"] != row["model"] else ""
    head = f" head {row['head']}" if row.get("head") else ""
    seed = f" (seed {row['seed']})" if row["model"] == RANDOM else ""
    return f"{row['model']}{layer}{head}{seed}"


def format_value(one: ScoredRow) -> str:
    """The value of a row with its interval."""
    return str(Interval(*(one.row[name] for name in Interval._fields)))
