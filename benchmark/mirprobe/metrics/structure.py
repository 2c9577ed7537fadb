"""Structure metrics per piece, averaged over pieces.

Conventions: sections are labelled intervals in seconds. The span of the reference is scored; the
first and the last section of an estimate are extended to it. A gap between sections counts as a
section, and all gaps have the same label. Gaps and overlaps up to timeline.TOLERANCE seconds are
rounding errors and are closed.

- `hr05`, `hr3`: F-measure of boundaries within 0.5 and 3 s (MIREX HR0.5F and HR3F); each boundary
  is matched at most once. trim=True: start and end of the piece are not boundaries. Untrimmed
  values, which are also common, are higher. A piece without a reference boundary between start and
  end is excluded from these two means.
- `pairwise_f`: F-measure of the pairs of 0.1 s frames with the same label. Labels are only compared
  for equality, without regard to case.

beta=1.0 in all metrics: precision and recall have equal weight. Values are in [0, 1].

Sources: Turnbull et al., ISMIR 2007 (boundaries); Levy & Sandler, IEEE TASLP 16(2), 2008
(pairwise); mir_eval (Raffel et al., ISMIR 2014).
"""

from __future__ import annotations

from collections.abc import Sequence

import lazy_loader
import numpy as np

from mirprobe.core.bootstrap import Statistic, weighted_mean
from mirprobe.core.schema import Floats, Segments
from mirprobe.metrics.timeline import Timeline, segment_indices, timeline

mir_eval = lazy_loader.load("mir_eval")  # its import takes longer than a run on finished cells

WINDOWS = {"hr05": 0.5, "hr3": 3.0}
FRAME = 0.1

METRICS: dict[str, str] = {
    "hr05": "F-measure of boundaries within 0.5 s, without start and end, mean over pieces",
    "hr3": "F-measure of boundaries within 3 s, without start and end, mean over pieces",
    "pairwise_f": "F-measure of pairs of 0.1 s frames with the same label, mean over pieces",
}


def boundary_f(reference: Floats, estimate: Floats, window: float) -> float:
    """F-measure of the boundaries between start and end; 0 if reference or estimate has none."""
    if len(reference) < 3 or len(estimate) < 3:
        return 0.0
    intervals = (np.stack([times[:-1], times[1:]], axis=1) for times in (reference, estimate))
    scores = mir_eval.segment.detection(*intervals, window=window, beta=1.0, trim=True)
    return float(scores[2])


def pairwise_f(reference: Timeline, estimate: Timeline) -> float:
    """Pairwise F-measure of two timelines that start at 0; 0 if no two frames have equal labels.

    The result equals mir_eval.segment.pairwise, which compares all pairs of frames at a cost
    quadratic in the length of the piece. This function counts frames per pair of labels instead.
    """
    times = np.arange(int(reference[0][-1] / FRAME), dtype=np.float64) * FRAME
    indices = []
    for line in (reference, estimate):
        _, labels = np.unique([label.lower() for label in line[1]], return_inverse=True)
        indices.append(labels[segment_indices(line, times)])
    table = np.zeros([len(line[1]) for line in (reference, estimate)])
    np.add.at(table, tuple(indices), 1)

    def pairs(counts: Floats) -> float:
        return float((counts * (counts - 1)).sum() / 2)

    alike = pairs(table.sum(axis=1)) + pairs(table.sum(axis=0))
    return 2 * pairs(table) / alike if alike else 0.0


def corpus_scores(
    references: Sequence[Segments],
    estimates: Sequence[Segments],
    names: Sequence[str] = tuple(METRICS),
) -> dict[str, Statistic]:
    """Mean of the metrics called `names` over the pieces.

    Raises:
        ValueError: segments are unsorted or overlap, a reference has no duration, or the lists
            differ in length.
    """
    pairs = zip(references, estimates, strict=True)
    pieces = [_timelines(reference, estimate) for reference, estimate in pairs]
    inside = [float(len(reference[0]) > 2) for reference, _ in pieces]
    return {
        name: weighted_mean([boundary_f(r[0], e[0], WINDOWS[name]) for r, e in pieces], inside)
        if name in WINDOWS
        else weighted_mean([pairwise_f(r, e) for r, e in pieces])
        for name in names
    }


def _timelines(reference: Segments, estimate: Segments) -> tuple[Timeline, Timeline]:
    """Reference and estimate over the span of the reference, shifted to start at 0."""
    if not reference.intervals.size:
        raise ValueError("a structure reference needs at least one segment")
    start, stop = float(reference.intervals.min()), float(reference.intervals.max())
    intervals = np.array(estimate.intervals, dtype=np.float64).reshape(-1, 2)
    if len(intervals):
        intervals[0, 0] = min(start, intervals[0, 0])
        intervals[-1, 1] = max(stop, intervals[-1, 1])
    lines = (
        timeline(segments, start, stop, "")
        for segments in (reference, Segments(intervals, estimate.labels))
    )
    (ref, ref_labels), (est, est_labels) = lines
    return (ref - start, ref_labels), (est - start, est_labels)
