"""The token grid: frames that are centred at given times, evenly spaced."""

from __future__ import annotations

import numpy as np

from mirprobe.core.schema import Floats

LONE_FRAME = 1.0
"""Seconds that the only frame of a track stands for, since its spacing is unknown."""


def period(times: Floats) -> float:
    """Seconds from frame to frame.

    Args:
        times: (time,) centre of each frame in seconds.
    """
    if len(times) < 2:
        return LONE_FRAME
    return float(times[-1] - times[0]) / (len(times) - 1)


def edges(times: Floats) -> Floats:
    """(time + 1,) where each frame begins and ends: half-way between centres, never before 0 s."""
    half = period(times) / 2
    between = (times[1:] + times[:-1]) / 2
    return np.concatenate([[max(0.0, times[0] - half)], between, [times[-1] + half]])
