"""Crossings: two relations of which each is shown best by another layer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations

import numpy as np

from mirprobe.core.bootstrap import Statistic
from mirprobe.core.schema import Floats
from mirprobe.emergence.rows import ScoredRow, best, best_of_each, values_of

Pair = tuple[ScoredRow, ScoredRow]


def crossing_gain(pairs: Iterable[Pair] | None, n: int) -> Statistic:
    """The mean over both relations of own layer minus other layer; 0 without a crossing.

    Args:
        pairs: result of `find_crossing`.
        n: number of tracks.
    """

    def statistic(counts: Floats) -> Floats:
        gains = [
            own.statistic.function(counts) - away.statistic.function(counts)
            for own, away in pairs or ()
        ]
        return np.asarray(np.mean(gains, axis=0)) if gains else np.zeros(len(counts))

    return Statistic(statistic, n)


def find_crossing(rows: Sequence[ScoredRow]) -> list[Pair] | None:
    """The two relations with the largest crossing between their best layers, on validation.

    Args:
        rows: rows of one model and one pooling.

    Returns:
        For each of the two relations, its row at its own best layer and its row at the best layer
        of the other. None if one layer is best for all relations whose validation ROC-AUC is above
        0.5.
    """
    tops = best_of_each(rows, relation=values_of(rows, "relation"))
    found = [top for top in tops if top.row["validation"] > 0.5]
    widest, pair = 0.0, None
    for first, second in combinations(found, 2):
        crossed = []
        for own, other in ((first, second), (second, first)):
            elsewhere = best(rows, relation=own.row["relation"], layer=other.row["layer"])
            assert elsewhere is not None
            crossed.append((own, elsewhere))
        gain = min(own.row["validation"] - away.row["validation"] for own, away in crossed)
        if gain > widest:
            widest, pair = gain, crossed
    return pair
