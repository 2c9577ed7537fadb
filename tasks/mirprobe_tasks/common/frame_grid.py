"""Evenly spaced frames: their period and their edges."""

from __future__ import annotations

import numpy as np

from mirprobe.core.schema import Floats

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
