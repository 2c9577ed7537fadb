"""From a curve over time to onset times: one detector for attention and spectral flux alike.

Onsets are peaks of a novelty curve that exceed the curve's own moving average by a threshold (Böck,
Krebs & Schedl, ISMIR 2012). The novelty of spectral flux follows librosa.onset.onset_strength.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import convolve1d, uniform_filter1d

from mirprobe.core.peak_picking import pick_peaks, refine_peaks
from mirprobe.core.schema import Floating, Floats
from mirprobe.vit1d.frontend import LogMelConfig

AVERAGE = 1.0  # seconds of the moving average
DYNAMICS = 80.0  # decibels below the loudest band that flux hears, as librosa does

SMOOTHING = (1, 3)
THRESHOLDS = (-0.5, -0.25, 0.0, 0.25, 0.5, 0.75, 1.0, 1.5)
SHIFTS = (-0.048, -0.032, -0.016, 0.0, 0.016, 0.032, 0.048)


@dataclass(frozen=True)
class PeakSettings:
    """What is left to choose about the detector.

    The defaults are what the validation split of `studio` prefers for spectral flux.

    Attributes:
        smoothing: 1 for none, 3 for weights of 1/4, 1/2, 1/4.
        threshold: deviations of the novelty above its moving average.
        shift: seconds added to every peak, since a curve may lead or lag behind its cause.
    """

    smoothing: int = 1
    threshold: float = 0.25
    shift: float = -0.016


def novelty(curve: Floating, smoothing: int, frame_rate: float) -> Floats:
    """A curve minus its moving average, in deviations of the track.

    Args:
        curve: (time, ...), every column by itself.
        smoothing: as in `PeakSettings`.
        frame_rate: frames a second.

    Returns:
        Of the same shape; a column that never changes is 0.
    """
    values = np.asarray(curve, dtype=np.float64)
    if smoothing == 3:
        values = convolve1d(values, [0.25, 0.5, 0.25], axis=0, mode="nearest")
    size = 2 * round(AVERAGE * frame_rate / 2) + 1
    values = values - uniform_filter1d(values, size, axis=0, mode="nearest")
    deviation = values.std(axis=0)
    # what is left of a constant curve is rounding, and must not be blown up to peaks
    flat = deviation <= 1e-9 * np.abs(curve).max(axis=0, initial=0.0)
    return np.asarray(np.where(flat, 0.0, values / np.where(flat, 1.0, deviation)))


def peaks(novel: Floats, frame_rate: float) -> tuple[Floats, Floats]:
    """All peaks that the lowest of `THRESHOLDS` lets pass; a curve that never changes has none.

    Args:
        novel: (time,) of `novelty`.
        frame_rate: frames a second.

    Returns:
        Their times in seconds, refined by a parabola, and their heights.
    """
    if not novel.any():
        return np.empty(0), np.empty(0)
    places = pick_peaks(novel, THRESHOLDS[0], 1)
    return refine_peaks(novel, places) / frame_rate, novel[places]


def detect(curve: Floating, peak_settings: PeakSettings, frame_rate: float) -> Floats:
    """Onset times in seconds, increasing, none before 0.

    Args:
        curve: (time,), frame i at i / frame_rate seconds.
        picking: the detector's settings.
        frame_rate: frames a second.
    """
    times, heights = peaks(novelty(curve, peak_settings.smoothing, frame_rate), frame_rate)
    return np.maximum(times[heights >= peak_settings.threshold] + peak_settings.shift, 0.0)


def flux(logmel: Floating, config: LogMelConfig) -> Floats:
    """Spectral flux: by how much the bands grow from frame to frame, falls counted as 0.

    Args:
        logmel: (time, bins) of the front end.
        config: its settings.

    Returns:
        (time,) mean over the bands, in nepers of power; the first frame is 0.
    """
    level = np.asarray(logmel, dtype=np.float64) * config.deviation
    heard = np.maximum(level, level.max() - DYNAMICS * np.log(10) / 10)
    grown = np.maximum(np.diff(heard, axis=0), 0.0).mean(axis=1)
    return np.concatenate([[0.0], grown])
