"""Peak picking on an activation curve."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mirprobe.core.schema import Floats


def pick_peaks(activation: Floats, threshold: float, min_frames: int) -> NDArray[np.int64]:
    """Local maxima at or above a threshold. Of two that are too close, the higher one is kept.

    A plateau is one peak, at its middle. The first and the last frame can be peaks.

    Args:
        activation: (time,) one value per frame, on any scale.
        threshold: on the same scale.
        min_frames: minimum distance between two peaks, in frames.

    Returns:
        (peaks,) frame indices, increasing.
    """
    from scipy.signal import find_peaks

    if not len(activation):
        return np.empty(0, dtype=np.int64)
    floor = activation.min() - 1  # find_peaks needs a lower neighbour on both sides
    padded = np.concatenate([[floor], activation, [floor]])
    peaks, _ = find_peaks(padded, height=threshold, distance=max(1, min_frames))
    return np.asarray(peaks - 1, dtype=np.int64)


def refine_peaks(activation: Floats, peaks: NDArray[np.int64]) -> Floats:
    """Vertex of the parabola through each peak and its neighbours, at most half a frame away.

    Args:
        activation: (time,) one value per frame.
        peaks: (peaks,) frame indices; one that is not a strict local maximum stays unchanged.

    Returns:
        (peaks,) fractional frame indices.
    """
    before = activation[np.maximum(peaks - 1, 0)]
    after = activation[np.minimum(peaks + 1, len(activation) - 1)]
    top = activation[peaks]
    bend = before - 2 * top + after
    inner = (peaks > 0) & (peaks < len(activation) - 1)
    peaked = inner & (top >= before) & (top >= after) & (bend < 0)
    offset = np.where(peaked, (before - after) / (2 * np.where(peaked, bend, 1.0)), 0.0)
    return np.asarray(peaks + offset, dtype=np.float64)
