"""The front end of ViT-1D: mono audio to log-mel frames, one token per frame."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mirprobe.core.torch_transforms import MelSpectrogram


@dataclass(frozen=True)
class LogMelConfig:
    """Configuration of the front end; a bank and a checkpoint must have equal ones.

    The papers do not specify the window and the normalisation. The window is 2048 samples (128 ms).
    Its main lobe of 31 Hz is about as wide as a mel band below 1 kHz, so the resolution of pitch is
    limited by the bands, not by the window, and none of the 128 bands is empty. The normalisation
    uses one fixed mean and standard deviation for all bands. They are the rounded values of 31
    minutes of music (the 11 tracks of Debian's asc-music and wizznic-data) and are never computed
    from other audio.

    Attributes:
        sample_rate: in Hz.
        n_fft: samples of the Hann window.
        hop: samples between the centres of frames; 512 at 16 kHz is 31.25 frames per second.
        bins: number of mel bands (HTK scale, triangles of height 1).
        f_min: lower edge of the lowest band in Hz.
        f_max: upper edge of the highest band in Hz.
        floor: lower limit of the power. A full-scale sine has a power of 2.6e5 in its band (n_fft
            squared over 16), so 1e-5 is 104 dB lower, below the noise of 16-bit audio.
        mean: subtracted from the natural logarithm of the power.
        deviation: divides the difference.
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
        """Frames per second."""
        return self.sample_rate / self.hop

    @property
    def edge(self) -> int:
        """Frames at each end of a signal whose windows reach beyond it."""
        return ceil(self.n_fft / 2 / self.hop)

    def centres(self) -> Tensor:
        """Centre frequencies of the bands in Hz, (bins,), float64, equidistant on the HTK scale."""
        low, high = self._edges()
        mel = torch.linspace(low, high, self.bins + 2, dtype=torch.float64)[1:-1]
        return 700 * (10 ** (mel / 2595) - 1)

    def band(self, hertz: Tensor) -> Tensor:
        """Convert frequencies in Hz, of any shape, to bands; i is the centre of band i."""
        low, high = self._edges()
        return (_mel(hertz) - low) / (high - low) * (self.bins + 1) - 1

    def _edges(self) -> tuple[float, float]:
        low, high = _mel(torch.tensor([self.f_min, self.f_max], dtype=torch.float64)).tolist()
        return low, high

    def mel_options(self) -> dict[str, Any]:
        """All options of `MelSpectrogram` except the sample rate."""
        return {
            "n_fft": self.n_fft,
            "hop_length": self.hop,
            "n_mels": self.bins,
            "f_min": self.f_min,
            "f_max": self.f_max,
            "center": True,
            "pad_mode": "reflect",
            "norm": None,
            "mel_scale": "htk",
        }


def _mel(hertz: Tensor) -> Tensor:
    return 2595 * (1 + hertz / 700).log10()


def pad_to_fit(audio: Tensor, n_fft: int) -> Tensor:
    """Append zeros to audio that is too short for reflect padding (n_fft / 2 + 1 samples).

    Args:
        audio: (batch, samples).
        n_fft: samples of a window.

    Returns:
        (batch, max(samples, n_fft // 2 + 1)).
    """
    return F.pad(audio, (0, max(0, n_fft // 2 + 1 - audio.shape[-1])))


class LogMel(nn.Module):
    """Normalised log-mel spectrogram: the natural logarithm of the mel power, shifted and scaled.

    Frame i is centred at sample i * hop. The audio is mirrored at both ends to fill the windows, so
    the frames at the ends differ from those within longer audio; `inner` leaves them out.
    """

    def __init__(self, config: LogMelConfig | None = None) -> None:
        super().__init__()
        self.config = config or LogMelConfig()
        self.mel = MelSpectrogram(self.config.sample_rate, **self.config.mel_options())

    def forward(self, audio: Tensor) -> Tensor:
        """Compute the frames of audio.

        Args:
            audio: (batch, samples) in [-1, 1], at the configured sample rate, of any length.

        Returns:
            (batch, samples // hop + 1, bins), in float32 for any type of the audio, also under
            autocast.
        """
        config = self.config
        time = audio.shape[-1] // config.hop + 1
        with torch.autocast(audio.device.type, enabled=False):
            power = self.mel(pad_to_fit(audio.float(), config.n_fft))[..., :time]  # (B, F, T)
            level = power.clamp(min=config.floor).log()
            frames: Tensor = (level - config.mean) / config.deviation
            return frames.transpose(1, 2).contiguous()  # (B, T, F)

    def inner(self, audio: Tensor) -> Tensor:
        """The frames whose windows do not reach beyond the audio; equal to those of longer audio.

        Args:
            audio: (batch, edge * hop + samples + edge * hop), in [-1, 1].

        Returns:
            (batch, samples // hop + 1, bins), frame i centred at sample (edge + i) * hop.

        Raises:
            ValueError: the audio is too short for such a frame.
        """
        edge, reach = self.config.edge, self.config.edge * self.config.hop
        if audio.shape[-1] < 2 * reach:
            raise ValueError(
                f"{audio.shape[-1]} samples: too short for a frame, which needs {reach} on each "
                "side of its centre"
            )
        frames: Tensor = self(audio)[:, edge:-edge]
        return frames
