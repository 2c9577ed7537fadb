"""Classification metrics over a corpus of tracks with one class each.

Conventions: classes are strings. Macro-F1 is the unweighted mean of F1 over the classes that occur
as reference or as estimate; the F1 of a class without a correct estimate is 0. The mean of a
replicate excludes classes that do not occur in it. The values equal scikit-learn's
accuracy_score with normalize=True, and f1_score with average="macro", labels=None, zero_division=0,
for tracks repeated by their counts. Values are in [0, 1].

Source: Manning et al., Introduction to Information Retrieval, 2008 (macro-averaging).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mirprobe.core.bootstrap import UNIT, Statistic, weighted_mean
from mirprobe.core.schema import Floats

METRICS: dict[str, str] = {
    "accuracy": "fraction of tracks with the correct class",
    "macro_f1": "unweighted mean of F1 over the classes that occur as reference or estimate",
}


def corpus_scores(references: Sequence[str], estimates: Sequence[str]) -> dict[str, Statistic]:
    """Accuracy and macro-F1 over the tracks.

    Raises:
        ValueError: the lists differ in length.
    """
    hits = [one == other for one, other in zip(references, estimates, strict=True)]
    return {"accuracy": weighted_mean(hits), "macro_f1": _macro_f1(references, estimates)}


def _macro_f1(references: Sequence[str], estimates: Sequence[str]) -> Statistic:
    classes = np.array(sorted({*references, *estimates}))
    actual = np.array(references)[:, None] == classes  # (tracks, classes)
    found = np.array(estimates)[:, None] == classes

    def statistic(counts: Floats) -> Floats:
        hits = counts @ (actual & found)  # (replicates, classes)
        both = counts @ (actual.astype(np.float64) + found)  # references and estimates
        with np.errstate(invalid="ignore"):
            f1 = np.where(both > 0, 2 * hits / np.where(both > 0, both, 1.0), 0.0)
            return np.asarray(f1.sum(axis=1) / (both > 0).sum(axis=1), dtype=np.float64)

    return Statistic(statistic, len(references), limits=UNIT)
