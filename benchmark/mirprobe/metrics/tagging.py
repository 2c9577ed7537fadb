"""Tagging metrics over a corpus of tracks, macro-averaged over tags.

Conventions: relevance is binary, (tracks, tags). A score is any finite number; only its rank among
the tracks of the tag matters. Ties are handled as by scikit-learn's roc_auc_score and
average_precision_score with average="macro", sample_weight=counts and no max_fpr. Values are in
[0, 1].

A tag without a positive or without a negative among the counted tracks has no ROC-AUC and is left
out of both means; `undefined_tags` lists these tags of a corpus. A bootstrap replicate leaves out
the tags that are undefined for its tracks.

Sources: Fawcett, Pattern Recognition Letters 27(8), 2006 (ROC-AUC); Manning et al., Introduction to
Information Retrieval, 2008 (average precision); macro means as in Law et al., ISMIR 2009.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mirprobe.core.bootstrap import Statistic
from mirprobe.core.schema import Floats

METRICS: dict[str, str] = {
    "map": "macro mean over tags of average precision, step-wise as scikit-learn",
    "roc_auc": "macro mean over tags of the area under the ROC curve, ties count half",
}

REPLICATES_AT_ONCE = 32
TINY = 1e-300  # replaces a denominator of 0 whose quotient is not used

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
_TagMetric = Callable[["_Tally"], Floats]


def undefined_tags(relevance: Bools, tags: Sequence[str]) -> tuple[str, ...]:
    """The tags that all tracks or no tracks have: they have no score.

    Args:
        relevance: (tracks, tags).
        tags: the names of the columns.
    """
    positives = relevance.sum(axis=0)
    undefined = (positives == 0) | (positives == len(relevance))
    return tuple(tag for tag, missing in zip(tags, undefined, strict=True) if missing)


def corpus_scores(relevance: Bools, scores: Floats) -> dict[str, Statistic]:
    """Macro average precision and ROC-AUC.

    Args:
        relevance: (tracks, tags).
        scores: (tracks, tags), higher is more relevant.

    Raises:
        ValueError: the shapes differ, or a score is not finite.
    """
    if relevance.shape != scores.shape:
        raise ValueError(f"relevance {relevance.shape} and scores {scores.shape} differ in shape")
    if not np.isfinite(scores).all():
        raise ValueError("tag scores must be finite")
    return {
        "map": _macro(_average_precision, relevance, scores),
        "roc_auc": _macro(_roc_auc, relevance, scores),
    }


def _macro(metric: _TagMetric, relevance: Bools, scores: Floats) -> Statistic:
    """Mean of a metric over the tags that are defined for the counted tracks."""
    tags = [_Ranking.of(relevance[:, tag], scores[:, tag]) for tag in range(relevance.shape[1])]

    def few(counts: Floats) -> Floats:
        total, defined = np.zeros(len(counts)), np.zeros(len(counts))
        for tag in tags:
            tally = tag.tally(counts)
            known = (tally.positives > 0) & (tally.negatives > 0)
            total += np.where(known, metric(tally), 0.0)
            defined += known
        with np.errstate(invalid="ignore"):
            return np.asarray(total / defined, dtype=np.float64)

    def statistic(counts: Floats) -> Floats:
        # a few replicates at a time stay in the processor's cache
        starts = range(0, len(counts), REPLICATES_AT_ONCE)
        return np.concatenate([few(counts[i : i + REPLICATES_AT_ONCE]) for i in starts])

    return statistic


@dataclass(frozen=True, eq=False)
class _Tally:
    """Number of counted tracks at each threshold that retrieves positives, best first.

    Attributes:
        found: (replicates, thresholds) positives with exactly this score.
        before: (replicates, thresholds) tracks with a better score.
        upto: (replicates, thresholds) tracks with this score or a better one.
        positives: (replicates,) relevant tracks.
        negatives: (replicates,) other tracks.
    """

    found: Floats
    before: Floats
    upto: Floats
    positives: Floats
    negatives: Floats


@dataclass(frozen=True, eq=False)
class _Ranking:
    """The tracks of one tag from best to worst score, and the ties that contain positives.

    Attributes:
        order: (tracks,) indices of the tracks.
        relevant: (positives,) ranks of the positives.
        leaders: (thresholds,) index of the first positive of each tie.
        first: (thresholds,) rank of the first track of each tie.
        last: (thresholds,) rank of the last track of each tie.
    """

    order: Ints
    relevant: Ints
    leaders: Ints
    first: Ints
    last: Ints

    @classmethod
    def of(cls, relevance: Bools, scores: Floats) -> _Ranking:
        order = np.argsort(-scores, kind="stable")
        ranked = -scores[order]  # increasing
        relevant = np.flatnonzero(relevance[order])
        levels, leaders = np.unique(ranked[relevant], return_index=True)
        first = np.searchsorted(ranked, levels, side="left")
        last = np.searchsorted(ranked, levels, side="right") - 1
        return cls(order, relevant, leaders, first, last)

    def tally(self, counts: Floats) -> _Tally:
        drawn = counts[:, self.order]  # (replicates, tracks)
        seen = np.cumsum(drawn, axis=1)
        found = np.add.reduceat(drawn[:, self.relevant], self.leaders, axis=1)
        positives = found.sum(axis=1)
        return _Tally(
            found=found,
            before=seen[:, self.first] - drawn[:, self.first],
            upto=seen[:, self.last],
            positives=positives,
            negatives=seen[:, -1] - positives,
        )


def _roc_auc(tally: _Tally) -> Floats:
    """Probability that a positive ranks above a negative; ties count half."""
    true = np.cumsum(tally.found, axis=1)
    wrong_before = tally.before - (true - tally.found)
    wrong_upto = tally.upto - true
    below = tally.negatives[:, None] - (wrong_before + wrong_upto) / 2
    pairs = tally.positives * tally.negatives
    return np.asarray((tally.found * below).sum(axis=1) / np.maximum(pairs, TINY))


def _average_precision(tally: _Tally) -> Floats:
    """Sum over thresholds of the gain in recall times the precision."""
    precision = np.cumsum(tally.found, axis=1) / np.maximum(tally.upto, TINY)
    gained = (tally.found * precision).sum(axis=1)
    return np.asarray(gained / np.maximum(tally.positives, TINY))
