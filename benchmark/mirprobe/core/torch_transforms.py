"""Mel spectrogram, MFCC and resampling in plain PyTorch, with the numbers of torchaudio.

torchaudio ended with release 2.11, which newer releases of PyTorch refuse. These are the parts that
mirprobe used: the same operations in the same order, with the options that are used here only.

Source: torchaudio 2.11 (BSD 2-Clause): transforms.MelSpectrogram, transforms.MFCC,
functional.resample.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, gcd, log, log10, pi, sqrt
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

VERSION = "2.11.0+cu130"
"""The torchaudio whose numbers these are: a part of fingerprints, which cached entries have."""


class MelSpectrogram(nn.Module):
    """The power of a short-time Fourier transform (Hann window), in triangular mel bands.

    Args:
        sample_rate: in Hz.
        n_fft: samples of the window.
        hop_length: samples between frames.
        n_mels: number of bands.
        f_min: lower edge of the lowest band in Hz.
        f_max: upper edge of the highest band in Hz; None for half of the sample rate.
        center: whether frame i is centred at i * hop_length; otherwise it begins there.
        pad_mode: how audio is padded if it is centred.
        norm: `slaney` for triangles of area 1; None for triangles of height 1.
        mel_scale: `htk` or `slaney`.
    """

    def __init__(
        self,
        sample_rate: int,
        *,
        n_fft: int,
        hop_length: int,
        n_mels: int,
        f_min: float = 0.0,
        f_max: float | None = None,
        center: bool = True,
        pad_mode: str = "reflect",
        norm: str | None = None,
        mel_scale: str = "htk",
    ) -> None:
        super().__init__()
        self._stft: Any = {
            "n_fft": n_fft,
            "hop_length": hop_length,
            "center": center,
            "pad_mode": pad_mode,
        }
        self.window: Tensor
        self.bands: Tensor
        limits = f_min, float(sample_rate // 2) if f_max is None else f_max
        slaney = mel_scale == "slaney"
        low, high = (_mel(limit, slaney=slaney) for limit in limits)
        edges = _hertz(torch.linspace(low, high, n_mels + 2), slaney=slaney)
        bands = _triangles(torch.linspace(0, sample_rate // 2, n_fft // 2 + 1), edges)
        if norm == "slaney":
            bands *= 2.0 / (edges[2:] - edges[:-2])
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)
        self.register_buffer("bands", bands, persistent=False)

    def forward(self, audio: Tensor) -> Tensor:
        """(batch, samples) to (batch, n_mels, frames)."""
        spectrum = torch.stft(audio, window=self.window, return_complex=True, **self._stft)
        mel: Tensor = torch.matmul(spectrum.abs().pow(2.0).mT, self.bands).mT
        return mel


class Mfcc(nn.Module):
    """Mel-frequency cepstral coefficients: DCT-II (orthonormal) of the logarithm of mel bands.

    Args:
        sample_rate: in Hz.
        n_mfcc: number of coefficients.
        mel: options of `MelSpectrogram`.
    """

    def __init__(self, sample_rate: int, n_mfcc: int, mel: Mapping[str, Any]) -> None:
        super().__init__()
        self._mel = MelSpectrogram(sample_rate, **mel)
        self.cosines: Tensor
        bands, order = float(mel["n_mels"]), torch.arange(float(n_mfcc))[:, None]
        cosines = torch.cos(pi / bands * (torch.arange(bands) + 0.5) * order)  # (n_mfcc, n_mels)
        cosines[0] *= 1.0 / sqrt(2.0)
        cosines *= sqrt(2.0 / bands)
        self.register_buffer("cosines", cosines.t(), persistent=False)

    def forward(self, audio: Tensor) -> Tensor:
        """(batch, samples) to (batch, n_mfcc, frames)."""
        coefficients: Tensor = torch.matmul(torch.log(self._mel(audio) + 1e-6).mT, self.cosines).mT
        return coefficients


def resample(audio: Tensor, rate: int, new_rate: int) -> Tensor:
    """Resample by sinc interpolation with a Hann window, six zero crossings wide.

    Args:
        audio: (batch, samples).
        rate: of the audio, in Hz.
        new_rate: in Hz.

    Returns:
        (batch, ceil(samples * new_rate / rate)).
    """
    divisor, crossings = gcd(rate, new_rate), 6
    rate, new_rate = rate // divisor, new_rate // divisor
    cutoff = min(rate, new_rate) * 0.99
    width = ceil(crossings * rate / cutoff)
    options: Any = {"dtype": audio.dtype, "device": audio.device}
    index = torch.arange(-width, width + rate, **options)[None, None] / rate
    time = torch.arange(0, -new_rate, -1, **options)[:, None, None] / new_rate + index
    time = (time * cutoff).clamp(-crossings, crossings)
    window = torch.cos(time * pi / crossings / 2) ** 2
    time *= pi
    kernels = torch.where(time == 0, torch.ones_like(time), time.sin() / time)
    kernels *= window * (cutoff / rate)
    padded = F.pad(audio, (width, width + rate))
    resampled = F.conv1d(padded[:, None], kernels, stride=rate)  # (B, new_rate, T)
    return resampled.mT.flatten(1)[:, : ceil(new_rate * audio.shape[1] / rate)]


def _triangles(hertz: Tensor, edges: Tensor) -> Tensor:
    """(frequencies, bands): 1 at the middle edge of a band, 0 at its outer edges and beyond."""
    widths = edges[1:] - edges[:-1]
    slopes = edges - hertz[:, None]  # (frequencies, bands + 2)
    return torch.minimum(-slopes[:, :-2] / widths[:-1], slopes[:, 2:] / widths[1:]).clamp(min=0.0)


def _mel(hertz: float, *, slaney: bool) -> float:
    if not slaney:
        return 2595.0 * log10(1.0 + hertz / 700.0)
    linear = hertz / (200.0 / 3)
    return linear if hertz < 1000.0 else 15.0 + log(hertz / 1000.0) / (log(6.4) / 27.0)


def _hertz(mel: Tensor, *, slaney: bool) -> Tensor:
    if not slaney:
        return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)
    above = 1000.0 * torch.exp(log(6.4) / 27.0 * (mel - 15.0))
    return torch.where(mel < 15.0, 200.0 / 3 * mel, above)
