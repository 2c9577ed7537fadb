"""Onset detection in a curve over time, used for attention and for spectral flux.

Onsets are peaks that exceed the moving average of the curve by a threshold (Böck, Krebs & Schedl,
ISMIR 2012). Spectral flux follows librosa.onset.onset_strength.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import convolve1d, uniform_filter1d

from mirprobe.core.peak_picking import pick_peaks, refine_peaks
from mirprobe.core.schema import Floating, Floats
from mirprobe.vit1d.frontend import LogMelConfig

AVERAGE = 1.0  # seconds of the moving average
DYNAMICS = 80.0  # decibels: lower levels relative to the loudest band are ignored, as in librosa

SMOOTHING = (1, 3)
THRESHOLDS = (-0.5, -0.25, 0.0, 0.25, 0.5, 0.75, 1.0, 1.5)
SHIFTS = (-0.048, -0.032, -0.016, 0.0, 0.016, 0.032, 0.048)


@dataclass(frozen=True)
class PeakSettings:
    """Settings of the onset detector.

    The defaults are best for spectral flux on the validation split of `studio`.

    Attributes:
        smoothing: 1 for no smoothing, 3 for the weights 1/4, 1/2, 1/4.
        threshold: minimum height above the moving average, in standard deviations.
        shift: seconds added to every peak, since a curve may lead or lag the onset.
    """

    smoothing: int = 1
    threshold: float = 0.25
    shift: float = -0.016


def novelty(curve: Floating, smoothing: int, frame_rate: float) -> Floats:
    """A curve minus its moving average, divided by its standard deviation.

    Args:
        curve: (time, ...); columns are processed separately.
        smoothing: as in `PeakSettings`.
        frame_rate: frames per second.

    Returns:
        An array of the same shape; a constant column becomes 0.
    """
    values = np.asarray(curve, dtype=np.float64)
    if smoothing == 3:
        values = convolve1d(values, [0.25, 0.5, 0.25], axis=0, mode="nearest")
    size = 2 * round(AVERAGE * frame_rate / 2) + 1
    values = values - uniform_filter1d(values, size, axis=0, mode="nearest")
    deviation = values.std(axis=0)
    # rounding errors of a constant curve must not be scaled up to peaks
    flat = deviation <= 1e-9 * np.abs(curve).max(axis=0, initial=0.0)
    return np.asarray(np.where(flat, 0.0, values / np.where(flat, 1.0, deviation)))


def peaks(novel: Floats, frame_rate: float) -> tuple[Floats, Floats]:
    """All peaks above the lowest of `THRESHOLDS`; a constant curve has none.

    Args:
        novel: (time,), from `novelty`.
        frame_rate: frames per second.

    Returns:
        Times in seconds, refined by parabolic interpolation, and heights.
    """
    if not novel.any():
        return np.empty(0), np.empty(0)
    places = pick_peaks(novel, THRESHOLDS[0], 1)
    return refine_peaks(novel, places) / frame_rate, novel[places]


def detect(curve: Floating, peak_settings: PeakSettings, frame_rate: float) -> Floats:
    """Onset times in seconds, increasing and not negative.

    Args:
        curve: (time,), frame i at i / frame_rate seconds.
        picking: the detector's settings.
        frame_rate: frames per second.
    """
    times, heights = peaks(novelty(curve, peak_settings.smoothing, frame_rate), frame_rate)
    return np.maximum(times[heights >= peak_settings.threshold] + peak_settings.shift, 0.0)


def flux(logmel: Floating, config: LogMelConfig) -> Floats:
    """Spectral flux: the mean positive difference of the bands between frames.

    Args:
        logmel: (time, bins), from the front end.
        config: configuration of the front end.

    Returns:
        (time,), in natural logarithms of power; the first frame is 0.
    """
    level = np.asarray(logmel, dtype=np.float64) * config.deviation
    audible = np.maximum(level, level.max() - DYNAMICS * np.log(10) / 10)
    rise = np.maximum(np.diff(audible, axis=0), 0.0).mean(axis=1)
    return np.concatenate([[0.0], rise])
