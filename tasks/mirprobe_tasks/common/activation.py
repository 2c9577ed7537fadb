"""Events as a curve over frames, for the probe to learn, and back from the curve to times."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from mirprobe.core.peak_picking import pick_peaks, refine_peaks
from mirprobe.core.schema import Floats
from mirprobe_tasks.common.frame_grid import period


def activation(events: Floats, times: Floats, widening: float) -> NDArray[np.float32]:
    """1 on the frame nearest to each event, falling off linearly over whole frames.

    An event before the first frame or after the last is on none.

    Args:
        events: (n,) in seconds, increasing.
        times: (time,) centre of each frame in seconds.
        widening: seconds to either side over which it falls off, in whole frames.

    Returns:
        (time,) in [0, 1].
    """
    place = (events - times[0]) / period(times)
    nearest = np.round(place[(place > -0.5) & (place < len(times) - 0.5)])
    reach = round(widening / period(times))
    frames = np.arange(len(times))
    padded = np.concatenate([[-np.inf], nearest, [np.inf]])
    after = np.searchsorted(padded, frames)  # the first event at a frame or after it
    distance = np.minimum(padded[after] - frames, frames - padded[after - 1])
    return np.asarray(1 - np.minimum(distance, reach + 1) / (reach + 1), dtype=np.float32)


def peak_times(
    logits: NDArray[np.float32], times: Floats, threshold: float, apart: float
) -> Floats:
    """Times of the peaks of a curve in seconds, increasing.

    Peaks are picked on the logits themselves: large ones would tie as probabilities.

    Args:
        logits: (time,) of an event in each frame.
        times: (time,) centre of each frame in seconds.
        threshold: probability that a peak reaches.
        apart: least seconds between two peaks.
    """
    curve, spacing = logits.astype(np.float64), period(times)
    peaks = pick_peaks(curve, float(logit(threshold)), int(apart / spacing))
    return np.asarray(times[0] + refine_peaks(expit(curve), peaks) * spacing)
