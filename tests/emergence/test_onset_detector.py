from __future__ import annotations

import numpy as np
import pytest
import torch

from mirprobe.core.schema import Floats
from mirprobe.emergence.onset_detector import PeakSettings, detect, flux, novelty, peaks
from mirprobe.metrics.onset import scores
from mirprobe.vit1d.frontend import LogMel, LogMelConfig

CONFIG = LogMelConfig()
RATE = CONFIG.frame_rate


def clicks(times: Floats, seconds: float) -> torch.Tensor:
    audio = np.random.default_rng(0).normal(0, 1e-4, round(seconds * CONFIG.sample_rate))
    for time in times:
        start = round(time * CONFIG.sample_rate)
        length = min(800, len(audio) - start)
        audio[start : start + length] += 0.5 * np.exp(-np.arange(length) / 150)
    return torch.from_numpy(audio.astype(np.float32))


@pytest.mark.parametrize("smoothing", [1, 3])
def test_spectral_flux_finds_the_clicks(smoothing: int) -> None:
    times = np.array([0.4, 0.9, 1.31, 1.77, 2.5, 2.8, 3.33])
    logmel = LogMel(CONFIG)(clicks(times, 4.0)[None])[0].numpy()
    found = detect(flux(logmel, CONFIG), PeakSettings(smoothing, 1.0, shift=0.0), RATE)
    assert scores(times, found)[0] == 1.0


def test_flux_against_a_loop() -> None:
    logmel = np.random.default_rng(1).normal(0, 1, (5, 3))
    grown = [
        np.mean([max(0.0, (logmel[t, b] - logmel[t - 1, b]) * CONFIG.deviation) for b in range(3)])
        for t in range(1, 5)
    ]
    np.testing.assert_allclose(flux(logmel, CONFIG), [0.0, *grown])


def test_flux_does_not_hear_what_lies_80_decibels_below() -> None:
    logmel = np.zeros((3, 2))
    logmel[:, 0] = 10.0  # 10 deviations of 3.7 nepers: 160 dB above the other band
    logmel[2, 1] = 1.0
    assert not flux(logmel, CONFIG).any()


def test_a_constant_curve_has_no_onsets() -> None:
    assert len(detect(np.full(100, 0.1), PeakSettings(), RATE)) == 0
    assert len(detect(np.zeros(1), PeakSettings(), RATE)) == 0


def test_novelty_does_not_depend_on_scale_and_offset() -> None:
    curve = np.random.default_rng(2).random((80, 2))
    expected = novelty(curve, 3, RATE)
    np.testing.assert_allclose(novelty(7 * curve + 3, 3, RATE), expected, atol=1e-9)
    np.testing.assert_allclose(novelty(curve[:, 1], 3, RATE), expected[:, 1])
    np.testing.assert_allclose(expected.std(axis=0), 1.0)


def test_a_peak_between_frames_is_found_there_and_shifted() -> None:
    time = np.arange(100) / RATE
    curve = np.exp(-(((time - 1.51) / 0.04) ** 2))
    (found,) = detect(curve, PeakSettings(1, 1.0, shift=0.0), RATE)
    assert found == pytest.approx(1.51, abs=0.003)
    (late,) = detect(curve, PeakSettings(1, 1.0, shift=0.016), RATE)
    assert late - found == pytest.approx(0.016)


def test_no_onset_lies_before_0() -> None:
    curve = np.zeros(50)
    curve[0] = 1.0
    assert detect(curve, PeakSettings(1, 1.0, shift=-0.048), RATE).tolist() == [0.0]


def test_peaks_give_their_heights() -> None:
    novel = np.array([0.0, 1.0, 0.0, 3.0, 0.0, -1.0])
    times, heights = peaks(novel, RATE)
    assert heights.tolist() == [1.0, 3.0]
    np.testing.assert_allclose(times * RATE, [1.0, 3.0])
