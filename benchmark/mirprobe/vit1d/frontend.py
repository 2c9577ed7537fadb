"""The front end: mono audio to the log-mel frames that ViT-1D reads, one token a frame."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchaudio.transforms import MelSpectrogram


@dataclass(frozen=True)
class LogMelConfig:
    """Every number of the front end; a bank and a checkpoint fit together if theirs are equal.

    Two of its choices are not in the papers. The window is 2048 samples (128 ms): its main lobe,
    31 Hz, is about as wide as a mel band is below 1 kHz, so that the bands, not the window, limit
    how finely pitch is resolved, and none of the 128 bands is empty. The normalisation is one mean
    and one deviation for all bands, pinned here and never computed from the audio at hand: those of
    31 minutes of music (the 11 tracks of Debian's asc-music and wizznic-data), rounded.

    Attributes:
        sample_rate: in Hz.
        n_fft: samples in a Hann window.
        hop: samples from one frame's centre to the next's; 512 at 16 kHz is 31.25 frames a second.
        bins: mel bands (HTK scale, triangles of height 1).
        f_min: lower edge of the lowest band in Hz.
        f_max: upper edge of the highest band in Hz.
        floor: power under which a band counts as silent. A full-scale sine has 2.6e5 in its band
            (n_fft squared over 16), so 1e-5 lies 104 dB below, under the noise of 16-bit audio.
        mean: subtracted from the natural logarithm of the power.
        deviation: what remains is divided by it.
    """

    sample_rate: int = 16_000
    n_fft: int = 2048
    hop: int = 512
    bins: int = 128
    f_min: float = 30.0
    f_max: float = 8000.0
    floor: float = 1e-5
    mean: float = 1.4
    deviation: float = 3.7

    @property
    def frame_rate(self) -> float:
        """Frames a second."""
        return self.sample_rate / self.hop

    @property
    def edge(self) -> int:
        """Frames at either end of a stretch of audio that hear beyond it."""
        return ceil(self.n_fft / 2 / self.hop)

    def centres(self) -> Tensor:
        """Centre frequencies of the bands in Hz, (bins,), float64: even on the HTK mel scale."""
        low, high = self._edges()
        mel = torch.linspace(low, high, self.bins + 2, dtype=torch.float64)[1:-1]
        return 700 * (10 ** (mel / 2595) - 1)

    def band(self, hertz: Tensor) -> Tensor:
        """Where frequencies of any shape lie among the bands: i is the centre of band i."""
        low, high = self._edges()
        return (_mel(hertz) - low) / (high - low) * (self.bins + 1) - 1

    def _edges(self) -> tuple[float, float]:
        low, high = _mel(torch.tensor([self.f_min, self.f_max], dtype=torch.float64)).tolist()
        return low, high

    def mel_options(self) -> dict[str, Any]:
        """What `torchaudio.transforms.MelSpectrogram` takes beside the sample rate, all pinned."""
        return {
            "n_fft": self.n_fft,
            "hop_length": self.hop,
            "n_mels": self.bins,
            "f_min": self.f_min,
            "f_max": self.f_max,
            "power": 2.0,
            "center": True,
            "pad_mode": "reflect",
            "norm": None,
            "mel_scale": "htk",
        }


def _mel(hertz: Tensor) -> Tensor:
    return 2595 * (1 + hertz / 700).log10()


def pad_to_fit(audio: Tensor, n_fft: int) -> Tensor:
    """Append zeros to audio too short for reflect padding, which needs n_fft / 2 + 1 samples.

    Args:
        audio: (batch, samples).
        n_fft: samples in a window.

    Returns:
        (batch, max(samples, n_fft // 2 + 1)).
    """
    return F.pad(audio, (0, max(0, n_fft // 2 + 1 - audio.shape[-1])))


class LogMel(nn.Module):
    """Normalised log-mel spectrogram: the natural logarithm of mel power, shifted and scaled.

    Frame i is centred at sample i * hop. At both ends the audio is mirrored to fill the window of
    the transform, so that the frames there are off: `inner` leaves them out.
    """

    def __init__(self, config: LogMelConfig | None = None) -> None:
        super().__init__()
        self.config = config or LogMelConfig()
        self.mel = MelSpectrogram(self.config.sample_rate, **self.config.mel_options())

    def forward(self, audio: Tensor) -> Tensor:
        """Turn audio into frames.

        Args:
            audio: (batch, samples) in [-1, 1] at the configured rate, of any length.

        Returns:
            (batch, samples // hop + 1, bins), float32 whatever the audio's type and autocast say.
        """
        config = self.config
        time = audio.shape[-1] // config.hop + 1
        with torch.autocast(audio.device.type, enabled=False):
            power = self.mel(pad_to_fit(audio.float(), config.n_fft))[..., :time]  # (B, F, T)
            level = power.clamp(min=config.floor).log()
            frames: Tensor = (level - config.mean) / config.deviation
            return frames.transpose(1, 2).contiguous()  # (B, T, F)

    def inner(self, audio: Tensor) -> Tensor:
        """The frames none of which hears a mirrored end: those of a whole track, there cut out.

        Args:
            audio: (batch, edge * hop + samples + edge * hop) in [-1, 1].

        Returns:
            (batch, samples // hop + 1, bins), frame i centred at sample (edge + i) * hop.

        Raises:
            ValueError: the audio is too short to have such a frame.
        """
        edge = self.config.edge
        if audio.shape[-1] < 2 * edge * self.config.hop:
            raise ValueError(
                f"{audio.shape[-1]} samples: too short for a frame, which hears "
                f"{edge * self.config.hop} on either side of its centre"
            )
        frames: Tensor = self(audio)[:, edge:-edge]
        return frames
