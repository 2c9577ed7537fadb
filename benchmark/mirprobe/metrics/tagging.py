"""Tagging metrics over a corpus of tracks, macro-averaged over tags.

Conventions: relevance is binary, (tracks, tags); a score is any finite number, only its rank within
the tag counts, and ties are handled as scikit-learn's roc_auc_score and average_precision_score do
with average="macro", sample_weight=counts and no max_fpr. Values are in [0, 1].

A tag without a positive or without a negative among the counted tracks has no ROC-AUC and is left
out of both means; `undefined_tags` lists those of a corpus. In a bootstrap replicate the tags that
the drawn tracks leave undefined drop out of that replicate's mean.

Sources: Fawcett, Pattern Recognition Letters 27(8), 2006 (ROC-AUC); Manning et al., Introduction to
Information Retrieval, 2008 (average precision); macro means as in Law et al., ISMIR 2009.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from mirprobe.metrics.statistic import Statistic
from mirprobe.schema import Floats

METRICS: dict[str, str] = {
    "map": "macro mean over tags of average precision, step-wise as scikit-learn",
    "roc_auc": "macro mean over tags of the area under the ROC curve, ties count half",
}

Bools = NDArray[np.bool_]
_TagMetric = Callable[[Floats, Floats], Floats]


def undefined_tags(relevance: Bools, tags: Sequence[str]) -> tuple[str, ...]:
    """The tags that every track has or that none has: they have no score.

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
        ValueError: shapes that differ, or a score that is not finite.
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
    """Mean of a metric over the tags that the counted tracks define."""
    order = np.argsort(-scores, axis=0, kind="stable")  # (tracks, tags), best first

    def statistic(counts: Floats) -> Floats:
        total = np.zeros(len(counts))
        defined = np.zeros(len(counts))
        for tag, best_first in enumerate(order.T):
            ranked, positive = scores[best_first, tag], relevance[best_first, tag]
            steps = np.flatnonzero(np.diff(ranked, prepend=np.inf))  # first of each group of ties
            drawn = counts[:, best_first]  # (replicates, tracks)
            found = np.add.reduceat(drawn * positive, steps, axis=1)  # (replicates, ties)
            wrong = np.add.reduceat(drawn * ~positive, steps, axis=1)
            value = metric(found, wrong)
            known = (found.sum(axis=1) > 0) & (wrong.sum(axis=1) > 0)
            total += np.where(known, value, 0.0)
            defined += known
        with np.errstate(invalid="ignore"):
            return total / defined

    return statistic


def _roc_auc(found: Floats, wrong: Floats) -> Floats:
    """Chance that a positive ranks above a negative; (replicates, ties) each, best first."""
    below = wrong.sum(axis=1, keepdims=True) - np.cumsum(wrong, axis=1)
    pairs = found.sum(axis=1) * wrong.sum(axis=1)
    return np.asarray((found * (below + wrong / 2)).sum(axis=1) / np.maximum(pairs, 1e-300))


def _average_precision(found: Floats, wrong: Floats) -> Floats:
    """Sum over thresholds of the gain in recall times the precision there."""
    true = np.cumsum(found, axis=1)
    retrieved = true + np.cumsum(wrong, axis=1)
    precision = true / np.maximum(retrieved, 1e-300)
    positives = found.sum(axis=1)
    return np.asarray((found * precision).sum(axis=1) / np.maximum(positives, 1e-300))
