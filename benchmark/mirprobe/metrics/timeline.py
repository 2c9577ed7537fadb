"""Segments without gaps, for the chord and structure metrics."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mirprobe.core.schema import Floats, Segments

TOLERANCE = 1e-3
"""Seconds: gaps and overlaps up to this length are rounding errors and are closed."""

Timeline = tuple[Floats, tuple[str, ...]]
"""n + 1 increasing boundaries in seconds, and n labels."""


def timeline(segments: Segments, start: float, stop: float, fill: str) -> Timeline:
    """The segments, cut to [start, stop]; gaps have the label `fill`.

    Raises:
        ValueError: the segments are unsorted or overlap, or `stop` is not after `start`.
    """
    intervals = np.array(segments.intervals, dtype=np.float64).reshape(-1, 2)
    near = np.abs(intervals[1:, 0] - intervals[:-1, 1]) <= TOLERANCE
    intervals[:-1, 1] = np.where(near, intervals[1:, 0], intervals[:-1, 1])
    # fill, segment, fill, segment, ..., fill; entries without duration are dropped
    times = np.concatenate([[start], np.clip(intervals.ravel(), start, stop), [stop]])
    durations = np.diff(times)
    if (durations < 0).any() or stop <= start:
        raise ValueError("segments must be sorted, have positive durations and not overlap")
    labels = [fill] * len(durations)
    labels[1::2] = segments.labels
    kept = np.flatnonzero(durations > 0)
    return np.append(times[kept], stop), tuple(labels[i] for i in kept)


def segment_indices(line: Timeline, times: Floats) -> NDArray[np.intp]:
    """(n,) index of the segment of a timeline that contains each time."""
    return np.searchsorted(line[0], times, side="right") - 1
