"""Events to an activation curve over frames, and an activation curve to event times."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from mirprobe.core.peak_picking import pick_peaks, refine_peaks
from mirprobe.core.schema import Floats
from mirprobe_tasks.common.frame_grid import period


def activation(events: Floats, times: Floats, widening: float) -> NDArray[np.float32]:
    """1 on the frame nearest to each event, falling off linearly over whole frames.

    An event before the first frame or after the last is on no frame.

    Args:
        events: (n,) in seconds, increasing.
        times: (time,) centre of each frame in seconds.
        widening: seconds on either side over which the curve falls off, rounded to whole frames.

    Returns:
        (time,) in [0, 1].
    """
    place = (events - times[0]) / period(times)
    nearest = np.round(place[(place > -0.5) & (place < len(times) - 0.5)])
    reach = round(widening / period(times))
    frames = np.arange(len(times))
    padded = np.concatenate([[-np.inf], nearest, [np.inf]])
    after = np.searchsorted(padded, frames)  # index of the first event at or after each frame
    distance = np.minimum(padded[after] - frames, frames - padded[after - 1])
    return np.asarray(1 - np.minimum(distance, reach + 1) / (reach + 1), dtype=np.float32)


def peak_times(
    curve: Floats, times: Floats, thresholds: Sequence[float], min_distance: float
) -> list[Floats]:
    """Times of the peaks of a curve in seconds, increasing, for each threshold.

    Peaks are picked on the logits, since large logits would tie as probabilities. A peak is kept or
    not because of higher peaks only, so that the peaks at the lowest threshold contain all others.

    Args:
        curve: (time,) logits of the event.
        times: (time,) centre of each frame in seconds.
        thresholds: least probability at a peak.
        min_distance: least seconds between two peaks.
    """
    spacing = period(times)
    heights = logit(np.array(thresholds))
    peaks = pick_peaks(curve, float(heights.min()), int(min_distance / spacing))
    found = times[0] + refine_peaks(expit(curve), peaks) * spacing
    return [found[curve[peaks] >= height] for height in heights]
