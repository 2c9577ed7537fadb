"""Metrics of labelled segments per piece, averaged over pieces.

Conventions: the span of a piece is that of its estimate, which has no gaps. A gap of the reference
is a segment with the label `NONE`. Neighbours with equal labels are one segment. Values are in
[0, 1].

- `accuracy`: share of the span in which reference and estimate have the same label.
- `boundary_f`: F-measure of the boundaries within a tolerance, matched one to one; start and end of
  the span are no boundaries. A piece without a reference boundary is excluded from the mean.

Sources: Turnbull et al., ISMIR 2007 (boundaries); mir_eval (Raffel et al., ISMIR 2014).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mirprobe.core.bootstrap import Statistic, weighted_mean
from mirprobe.core.schema import Segments
from mirprobe.metrics.structure import boundary_f
from mirprobe.metrics.timeline import Timeline, segment_indices, timeline

NONE = "none"
"""Label of what no segment covers."""

METRICS: dict[str, str] = {
    "accuracy": "share of time with the correct label, mean over pieces",
    "boundary_f": "F-measure of boundaries within the tolerance, mean over pieces",
}


def corpus_scores(
    references: Sequence[Segments], estimates: Sequence[Segments], tolerance: float
) -> dict[str, Statistic]:
    """Mean of each of `METRICS` over the pieces.

    Args:
        references: of each piece.
        estimates: of each piece, at least one segment.
        tolerance: of boundaries, in seconds.

    Raises:
        ValueError: segments are unsorted or overlap, or the lists differ in length.
    """
    pairs = []
    for reference, estimate in zip(references, estimates, strict=True):
        span = float(estimate.intervals.min()), float(estimate.intervals.max())
        pairs.append([_joined(timeline(one, *span, NONE)) for one in (reference, estimate)])
    inside = [float(len(reference[0]) > 2) for reference, _ in pairs]
    boundaries = [boundary_f(r[0] - r[0][0], e[0] - e[0][0], tolerance) for r, e in pairs]
    return {
        "accuracy": weighted_mean([_accuracy(*pair) for pair in pairs]),
        "boundary_f": weighted_mean(boundaries, inside),
    }


def _joined(line: Timeline) -> Timeline:
    """Neighbours with equal labels as one segment."""
    times, labels = line
    starts = [i for i in range(len(labels)) if not i or labels[i] != labels[i - 1]]
    return np.append(times[starts], times[-1]), tuple(labels[i] for i in starts)


def _accuracy(reference: Timeline, estimate: Timeline) -> float:
    times = np.union1d(reference[0], estimate[0])
    middles = (times[1:] + times[:-1]) / 2
    left, right = (
        np.array(line[1], dtype=object)[segment_indices(line, middles)]
        for line in (reference, estimate)
    )
    return float(np.diff(times) @ (left == right)) / float(times[-1] - times[0])
