"""Parts of torchaudio: equal to their definitions, fingerprints as before, an error without it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import asdict
from math import pi

import pytest
import torch
import torchaudio

from mirprobe.core.hashing import digest
from mirprobe.core.torch_transforms import MFCC, MelSpectrogram, resample
from mirprobe.encoders.spectral import LogMel
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
    options = {"n_mfcc": 20, "norm": "ortho", "log_mels": True, "melkwargs": OPTIONS}
    level = (MelSpectrogram(RATE, **OPTIONS)(audio) + 1e-6).log()
    bands = torch.arange(128) + 0.5
    cosines = torch.cos(pi / 128 * bands * torch.arange(20)[:, None]) * (2 / 128) ** 0.5
    cosines[0] /= 2**0.5
    torch.testing.assert_close(MFCC(RATE, **options)(audio), cosines @ level, rtol=1e-4, atol=1e-3)


def test_a_resampled_sine_is_the_sine_of_the_other_rate() -> None:
    at = {
        rate: torch.sin(2 * pi * 440 * torch.arange(rate) / rate)[None] for rate in (RATE, 22_050)
    }
    found = resample(at[22_050], 22_050, RATE)
    torch.testing.assert_close(found[:, 500:-500], at[RATE][:, 500:-500], rtol=0, atol=5e-3)


def test_entries_of_the_cache_are_found() -> None:
    parts = ("logmel", 1, asdict(LogMelConfig()), torchaudio.__version__)
    assert LogMel().fingerprint == digest(*parts)


@pytest.mark.parametrize("fault", ["ImportError('gone')", "OSError('undefined\\nsymbol')"])
def test_a_torchaudio_that_cannot_be_imported_is_named(fault: str) -> None:
    code = f"""
import builtins
from mirprobe.core.errors import MirprobeError
whole = builtins.__import__
def refuse(name, *rest, **more):
    if name.startswith("torchaudio"):
        raise {fault}
    return whole(name, *rest, **more)
builtins.__import__ = refuse
try:
    import mirprobe.encoders.spectral
except MirprobeError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    (line,) = done.stdout.splitlines()
    assert line.startswith("torchaudio cannot be imported (")
    assert line.endswith("pip install --force-reinstall --no-deps torchaudio")
