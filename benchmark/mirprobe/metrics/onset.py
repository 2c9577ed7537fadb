"""Onset metrics per piece, averaged over pieces.

Conventions: onset times in seconds, increasing. An estimate is correct if it lies within 50 ms of a
reference onset. The matching is one-to-one and has maximum size. Values are in [0, 1], and 0 if
reference or estimate is empty. A piece whose reference is empty is excluded from the means.

Sources: MIREX audio onset detection (window of 50 ms); mir_eval.onset (Raffel et al., ISMIR 2014).
"""

from __future__ import annotations

from collections.abc import Sequence

from mirprobe.core.bootstrap import Statistic, weighted_mean
from mirprobe.core.schema import Floats
from mirprobe.metrics.events import event_scores

WINDOW = 0.05

METRICS: dict[str, str] = {
    "f_measure": "F-measure of onsets within 50 ms, mean over pieces",
    "precision": "fraction of estimated onsets within 50 ms of a reference, mean over pieces",
    "recall": "fraction of reference onsets within 50 ms of an estimate, mean over pieces",
}


def scores(reference: Floats, estimate: Floats) -> tuple[float, float, float]:
    """F-measure, precision and recall of one piece."""
    return event_scores(reference, estimate, WINDOW)


def corpus_scores(
    references: Sequence[Floats], estimates: Sequence[Floats]
) -> dict[str, Statistic]:
    """Mean of each of `METRICS` over the pieces that have a reference onset.

    Raises:
        ValueError: onsets are not increasing, or the lists differ in length.
    """
    pieces = [scores(*pair) for pair in zip(references, estimates, strict=True)]
    weights = [float(len(reference) > 0) for reference in references]
    return {
        name: weighted_mean([piece[column] for piece in pieces], weights)
        for column, name in enumerate(METRICS)
    }
