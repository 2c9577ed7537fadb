from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from mirprobe.vit1d.frontend import LogMel, LogMelConfig

RATE, HOP = 16_000, 512


def band_centres() -> Tensor:
    """Centres of the 128 HTK mel bands in Hz, from the formula."""
    low, high = (2595 * np.log10(1 + edge / 700) for edge in (30.0, 8000.0))
    return torch.from_numpy(700 * (10 ** (np.linspace(low, high, 130)[1:-1] / 2595) - 1))


def test_bands_are_even_on_the_htk_mel_scale() -> None:
    config = LogMelConfig()
    torch.testing.assert_close(config.centres(), band_centres())
    torch.testing.assert_close(config.band(band_centres()), torch.arange(128, dtype=torch.float64))
    edges = torch.tensor([30.0, 8000.0], dtype=torch.float64)
    assert config.band(edges).tolist() == pytest.approx([-1, 128])


def sine(frequency: float, seconds: float = 1.0) -> Tensor:
    return torch.sin(2 * torch.pi * frequency * torch.arange(int(RATE * seconds)) / RATE)[None]


def test_four_seconds_are_126_frames() -> None:
    frames = LogMel()(torch.randn(3, 4 * RATE))
    assert frames.shape == (3, 126, 128)
    assert frames.dtype == torch.float32


@pytest.mark.parametrize("frequency", [110.0, 261.63, 440.0, 1000.0, 3520.0, 7000.0])
def test_a_sine_peaks_in_its_band(frequency: float) -> None:
    frames = LogMel()(sine(frequency))[0, 4:-4]
    nearest = int((band_centres() - frequency).abs().argmin())
    assert (frames.argmax(-1) - nearest).abs().max() <= 1


def test_levels_are_pinned() -> None:
    config = LogMelConfig()
    silence = LogMel()(torch.zeros(1, RATE))
    floor = (np.log(config.floor) - config.mean) / config.deviation
    torch.testing.assert_close(silence, torch.full_like(silence, floor))
    # A sine of amplitude 1 at a window's bin has the power (n_fft / 4)^2 there; the triangle
    # weighs that bin and its two neighbours (a quarter each under a Hann window).
    centre = 256 * RATE / 2048
    peak = LogMel()(sine(centre))[0, 8].max() * config.deviation + config.mean
    assert float(peak) == pytest.approx(np.log((2048 / 4) ** 2), abs=0.5)
    # Loudness is kept: ten times the amplitude is log(100) more power in every band.
    noise = 0.01 * torch.randn(1, RATE)
    step = (LogMel()(10 * noise) - LogMel()(noise)) * config.deviation
    torch.testing.assert_close(step, torch.full_like(step, np.log(100.0)), rtol=0, atol=1e-3)


@pytest.mark.parametrize("time", [0.0, 0.256, 1.0, 2.013])
def test_an_impulse_reacts_at_its_time(time: float) -> None:
    audio = torch.zeros(1, 4 * RATE)
    audio[0, round(time * RATE)] = 1.0
    loudest = int(LogMel()(audio)[0].mean(-1).argmax())
    assert abs(loudest - time * RATE / HOP) <= 0.5


@pytest.mark.parametrize("samples", [1, 100, 1023, 1024, 1025, 1026, 2048])
def test_any_length(samples: int) -> None:
    frames = LogMel()(torch.ones(2, samples))
    assert frames.shape == (2, samples // HOP + 1, 128)
    assert frames.isfinite().all()


def test_float32_whatever_comes_in() -> None:
    audio = 0.1 * torch.randn(1, RATE)
    frames = LogMel()(audio)
    assert LogMel()(audio.double()).equal(frames)
    with torch.autocast("cpu", torch.bfloat16):
        assert LogMel()(audio).equal(frames)


def test_windows_do_not_depend_on_their_batch() -> None:
    audio = torch.randn(3, RATE) * torch.tensor([[1e-3], [1.0], [0.1]])
    together = LogMel()(audio)
    alone = torch.cat([LogMel()(window[None]) for window in audio])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-5)


def test_the_126th_frame_of_a_window_is_its_neighbours_first() -> None:
    """A sweep cut in windows of 4 s, each with the samples around it, has the whole's frames.

    Frame 125 of one window and frame 0 of the next are the same frame of the track. Dropping the
    former leaves 125 frames a window: frame i of the track is at i / 31.25 s.
    """
    windows, size, edge = 4, 4 * RATE, 2 * 512
    time = torch.arange(windows * size + edge, dtype=torch.float64) / RATE
    start, rate = 500.0, 200.0  # Hz, Hz a second
    audio = torch.sin(2 * torch.pi * (start * time + rate * time**2 / 2)).float()
    around = torch.nn.functional.pad(audio[None], (edge, 0), mode="reflect")
    frames = LogMel().inner(around[0, : windows * size + 2 * edge].unfold(0, size + 2 * edge, size))
    assert frames.shape == (windows, 126, 128)
    assert frames[:-1, 125].equal(frames[1:, 0])

    stitched = torch.cat((frames[:, :125].flatten(0, 1), frames[-1, 125:]))  # (501, 128)
    torch.testing.assert_close(stitched, LogMel()(audio[None])[0, :501], rtol=0, atol=1e-5)
    truth = start + rate * torch.arange(501) / 31.25
    nearest = (band_centres()[:, None] - truth).abs().argmin(0)
    peaks = stitched.argmax(-1)
    assert (peaks - nearest).abs().max() <= 1
    assert peaks.diff().abs().max() <= 1


def test_mirrored_ends_are_off() -> None:
    """Why windows come with the samples around them."""
    tone = sine(440.3)
    off = (LogMel()(tone[:, 2 * 512 : -2 * 512]) - LogMel().inner(tone)).abs().amax(dim=(0, 2))
    assert off[[0, 1, -2, -1]].min() > 1  # deviations
    assert off[2:-2].max() < 1e-3
