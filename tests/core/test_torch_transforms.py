"""Mel spectrogram, MFCC and resampling: their definitions, and the numbers of torchaudio."""

from __future__ import annotations

from math import pi

import pytest
import torch

from mirprobe.core.torch_transforms import MelSpectrogram, Mfcc, resample
from mirprobe.encoders.spectral import LogMel
from mirprobe.encoders.spectral import Mfcc as MfccEncoder
from mirprobe.vit1d.frontend import LogMelConfig

RATE = 16_000
OPTIONS = LogMelConfig().mel_options()


@pytest.fixture(scope="module")
def audio() -> torch.Tensor:
    return torch.rand(2, RATE, generator=torch.Generator().manual_seed(0)) * 2 - 1


def mel_by_definition(audio: torch.Tensor) -> torch.Tensor:
    """Power of the STFT (Hann), weighted by triangles on the HTK scale: (batch, bands, frames)."""
    size, config = OPTIONS["n_fft"], LogMelConfig()
    window = 0.5 - 0.5 * torch.cos(2 * pi * torch.arange(size) / size)
    whole = torch.nn.functional.pad(audio[:, None], (size // 2, size // 2), "reflect")[:, 0]
    frames = whole.unfold(1, size, config.hop) * window
    power = torch.fft.rfft(frames).abs() ** 2
    hertz = torch.linspace(0, RATE / 2, size // 2 + 1)
    mels = torch.linspace(mel(config.f_min), mel(config.f_max), config.bins + 2)
    edges = 700 * (10 ** (mels / 2595) - 1)
    rise = (hertz - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - hertz) / (edges[2:] - edges[1:-1])[:, None]
    weights: torch.Tensor = torch.minimum(rise, fall).clamp(min=0)  # (bands, bins)
    bands: torch.Tensor = power @ weights.T
    return bands.mT


def mel(hertz: float) -> float:
    return float(2595 * torch.log10(torch.tensor(1 + hertz / 700)))


def test_the_mel_spectrogram_is_its_definition(audio: torch.Tensor) -> None:
    found = MelSpectrogram(RATE, **OPTIONS)(audio)
    expected = mel_by_definition(audio)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4 * float(expected.max()))


def test_mfcc_are_the_cosine_transform_of_the_logarithm(audio: torch.Tensor) -> None:
    level = (MelSpectrogram(RATE, **OPTIONS)(audio) + 1e-6).log()
    bands = torch.arange(128) + 0.5
    cosines = torch.cos(pi / 128 * bands * torch.arange(20)[:, None]) * (2 / 128) ** 0.5
    cosines[0] /= 2**0.5
    torch.testing.assert_close(
        Mfcc(RATE, 20, OPTIONS)(audio), cosines @ level, rtol=1e-4, atol=1e-3
    )


def test_a_resampled_sine_is_the_sine_of_the_other_rate() -> None:
    at = {
        rate: torch.sin(2 * pi * 440 * torch.arange(rate) / rate)[None] for rate in (RATE, 22_050)
    }
    found = resample(at[22_050], 22_050, RATE)
    torch.testing.assert_close(found[:, 500:-500], at[RATE][:, 500:-500], rtol=0, atol=5e-3)


def test_entries_of_the_cache_are_found() -> None:
    assert LogMel().fingerprint == "7759b3cd1a8d97889558c2eb5e55e4c0"
    assert MfccEncoder().fingerprint == "c78ec6626d2e11f351f0a507cb1b7161"


def test_the_numbers_are_those_of_torchaudio(audio: torch.Tensor) -> None:
    transforms = pytest.importorskip("torchaudio.transforms")
    slaney = {"n_fft": 512, "hop_length": 256, "n_mels": 96, "norm": "slaney", "center": False}
    for options in (OPTIONS, {**slaney, "mel_scale": "slaney"}):
        expected = transforms.MelSpectrogram(RATE, **options)(audio)
        torch.testing.assert_close(MelSpectrogram(RATE, **options)(audio), expected, rtol=0, atol=0)
    options = {"n_mfcc": 20, "log_mels": True, "melkwargs": OPTIONS}
    expected = transforms.MFCC(RATE, **options)(audio)
    torch.testing.assert_close(Mfcc(RATE, 20, OPTIONS)(audio), expected, rtol=0, atol=0)
    functional = pytest.importorskip("torchaudio.functional")
    for rate, new in ((44_100, 16_000), (16_000, 22_050), (24_000, 16_000), (16_000, 48_000)):
        for samples in (RATE, 3001, 1):
            expected = functional.resample(audio[:, :samples], rate, new)
            found = resample(audio[:, :samples], rate, new)
            torch.testing.assert_close(found, expected, rtol=0, atol=1e-7)
