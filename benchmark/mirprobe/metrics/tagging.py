"""Tagging metrics over a corpus of tracks, macro-averaged over tags.

Conventions: relevance is binary, (tracks, tags). Scores are finite numbers; only the ranks of the
tracks within a tag matter. Ties are handled as in scikit-learn's roc_auc_score and
average_precision_score with average="macro", sample_weight=counts and no max_fpr. Values are in
[0, 1].

ROC-AUC is undefined for a tag without positive or without negative tracks. Such a tag is excluded
from both means; `undefined_tags` lists the undefined tags of a corpus. A replicate excludes the
tags that are undefined for its tracks.

ROC-AUC estimates the same number at any number of tracks. Average precision does not: its
expectation falls as tracks are added (a positive among few tracks ranks high by chance), and it
rises with the share of positives. Compare it between encoders on the same tracks only.

Sources: Fawcett, Pattern Recognition Letters 27(8), 2006 (ROC-AUC); Manning et al., Introduction to
Information Retrieval, 2008 (average precision); macro means as in Law et al., ISMIR 2009.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mirprobe.core.bootstrap import UNIT, Statistic
from mirprobe.core.schema import Floats

METRICS: dict[str, str] = {
    "roc_auc": "area under the ROC curve, macro-averaged over tags; ties count half",
    "map": "mean average precision: average precision, not interpolated, macro-averaged over tags; "
    "depends on the number of tracks and the share of positives",
}

REPLICATES_AT_ONCE = 32
TINY = 1e-300  # replaces denominators of 0; their quotients are not used

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
_TagMetric = Callable[["_Tally"], Floats]


def undefined_tags(relevance: Bools, tags: Sequence[str]) -> tuple[str, ...]:
    """The tags without a score: all tracks have them, or none.

    Args:
        relevance: (tracks, tags).
        tags: the names of the columns.
    """
    positives = relevance.sum(axis=0)
    undefined = (positives == 0) | (positives == len(relevance))
    return tuple(tag for tag, missing in zip(tags, undefined, strict=True) if missing)


def positives(relevance: Bools) -> str:
    """How many tracks have a tag: those of the rarest and the most frequent one, and the median."""
    counts = relevance.sum(axis=0)
    counts = counts[(counts > 0) & (counts < len(relevance))]
    if not len(counts):
        return "no tag can be scored"
    return f"{counts.min()} to {counts.max()} positives a tag (median {np.median(counts):g})"


def corpus_scores(relevance: Bools, scores: Floats) -> dict[str, Statistic]:
    """ROC-AUC and average precision, macro-averaged over tags.

    Args:
        relevance: (tracks, tags).
        scores: (tracks, tags); higher means more relevant.

    Raises:
        ValueError: the shapes differ, or a score is not finite.
    """
    if relevance.shape != scores.shape:
        raise ValueError(f"relevance {relevance.shape} and scores {scores.shape} differ in shape")
    if not np.isfinite(scores).all():
        raise ValueError("tag scores must be finite")
    return {
        "roc_auc": _macro(_roc_auc, relevance, scores),
        "map": _macro(_average_precision, relevance, scores),
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
        # a few replicates at a time fit in the processor cache
        starts = range(0, len(counts), REPLICATES_AT_ONCE)
        return np.concatenate([few(counts[i : i + REPLICATES_AT_ONCE]) for i in starts])

    return Statistic(statistic, len(relevance), limits=UNIT)


@dataclass(frozen=True, eq=False)
class _Tally:
    """Numbers of tracks at each threshold that retrieves positives, highest threshold first.

    Attributes:
        found: (replicates, thresholds) positives whose score equals the threshold.
        before: (replicates, thresholds) tracks with a higher score.
        upto: (replicates, thresholds) tracks with this score or a higher score.
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
    """The tracks of one tag by decreasing score, and the ties that contain positives.

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
