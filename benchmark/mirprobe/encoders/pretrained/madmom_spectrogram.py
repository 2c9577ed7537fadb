"""Spectrograms with logarithmically spaced bands, as madmom computes them.

log10(1 + x) of triangular bands of area 1 on the FFT magnitudes of 44.1 kHz audio. The bands are
centred on the FFT bins nearest to the notes of an equally tempered scale with A4 = 440 Hz.

Source: Böck et al., *madmom: a new Python audio and music signal processing library*, ACM MM 2016.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

RATE = 44_100


class Spectrogram(nn.Module):
    """Audio (B, samples) to bands (B, samples // hop + 1, bands), frame i centred at i * hop.

    Args:
        length: of the FFT in samples.
        hop: in samples.
        per_octave: bands per octave.
        lowest: lower limit in Hz.
        highest: upper limit in Hz.
    """

    bank: Tensor
    window: Tensor

    def __init__(
        self, length: int, hop: int, *, per_octave: int, lowest: float, highest: float
    ) -> None:
        super().__init__()
        self.length, self.hop = length, hop
        bank = filterbank(length // 2, per_octave=per_octave, lowest=lowest, highest=highest)
        self.register_buffer("bank", torch.from_numpy(bank), persistent=False)
        window = torch.hann_window(length, periodic=False)
        self.register_buffer("window", window, persistent=False)
        self.bands = bank.shape[1]

    def forward(self, audio: Tensor) -> Tensor:  # noqa: D102
        bins = torch.stft(
            audio,
            self.length,
            self.hop,
            window=self.window,
            pad_mode="constant",
            return_complex=True,
        )  # (B, F, T)
        return torch.log10(bins[:, :-1].abs().transpose(1, 2) @ self.bank + 1)


class OnsetSpectrogram(Spectrogram):
    """Bands, followed by the increase of each band over about a quarter of the FFT length."""

    def forward(self, audio: Tensor) -> Tensor:  # noqa: D102
        bands = super().forward(audio)
        # the lag is the distance from the centre of the window to its half height, as in madmom
        back = max(1, round((self.length / 2 - int((self.window > 0.5).int().argmax())) / self.hop))
        rise = torch.zeros_like(bands)
        rise[:, back:] = (bands[:, back:] - bands[:, :-back]).clamp(min=0)
        return torch.cat([bands, rise], dim=2)


def filterbank(bins: int, *, per_octave: int, lowest: float, highest: float) -> NDArray[np.float32]:
    """Triangular bands on FFT bins.

    Args:
        bins: number of FFT bins without the Nyquist frequency.
        per_octave: bands per octave; bands with the same centre bin are merged.
        lowest: frequency in Hz below which no band starts.
        highest: frequency in Hz above which no band ends.

    Returns:
        (bins, bands); each band sums to 1.
    """
    first = np.floor(np.log2(lowest / 440) * per_octave)
    last = np.ceil(np.log2(highest / 440) * per_octave)
    notes = 440 * 2 ** (np.arange(first, last) / per_octave)
    notes = notes[(notes >= lowest) & (notes <= highest)]
    frequencies = np.arange(bins) * RATE / (2 * bins)
    above = np.clip(frequencies.searchsorted(notes), 1, bins - 1)
    nearer_below = notes - frequencies[above - 1] < frequencies[above] - notes
    centres = np.unique(above - nearer_below)
    bank = np.zeros((bins, len(centres) - 2))
    for band, (start, centre, stop) in enumerate(
        zip(centres, centres[1:], centres[2:], strict=False)
    ):
        if stop - start < 2:
            centre, stop = start, start + 1
        bank[start:centre, band] = np.arange(centre - start) / max(1, centre - start)
        bank[centre:stop, band] = 1 - np.arange(stop - centre) / (stop - centre)
    bank /= bank.sum(0)
    return bank.astype(np.float32)
