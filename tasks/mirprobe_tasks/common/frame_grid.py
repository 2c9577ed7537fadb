"""Evenly spaced frames: their period, their edges, and segments of equal frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mirprobe.core.schema import Floats, Segments

SINGLE_FRAME = 1.0
"""Seconds that a frame lasts in a track of one frame, where the period is unknown."""


def period(times: Floats) -> float:
    """Seconds from one frame to the next.

    Args:
        times: (time,) centre of each frame in seconds.
    """
    if len(times) < 2:
        return SINGLE_FRAME
    return float(times[-1] - times[0]) / (len(times) - 1)


def edges(times: Floats) -> Floats:
    """(time + 1,) edges of the frames in seconds: half-way between centres, never before 0 s."""
    half = period(times) / 2
    between = (times[1:] + times[:-1]) / 2
    return np.concatenate([[max(0.0, times[0] - half)], between, [times[-1] + half]])


def equal_segments(classes: NDArray[np.int64], times: Floats, labels: Sequence[str]) -> Segments:
    """Segments of frames of one class, without gaps; boundaries lie half-way between frames.

    Args:
        classes: (time,) class of each frame.
        times: (time,) centre of each frame in seconds.
        labels: of the classes.
    """
    starts = np.flatnonzero(np.diff(classes, prepend=-1))  # (segments,) first frames
    bounds = edges(times)[np.append(starts, len(classes))]
    intervals = np.stack([bounds[:-1], bounds[1:]], axis=1)
    return Segments(intervals, tuple(labels[index] for index in classes[starts]))
