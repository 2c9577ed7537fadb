"""Controls without training: log-mel, MFCC and chroma, 31.25 frames per second.

Each accepts audio of any length at 16 kHz and has one layer, which has the name of the encoder.
Frame i is centred at i * 512 samples.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mirprobe.api.encoder import EncoderInfo
from mirprobe.core import torch_transforms
from mirprobe.core.errors import ConfigError
from mirprobe.core.hashing import digest
from mirprobe.core.schema import Tokens
from mirprobe.core.torch_transforms import VERSION
from mirprobe.vit1d import frontend
from mirprobe.vit1d.frontend import LogMelConfig, pad_to_fit

_SAMPLE_RATE = LogMelConfig.sample_rate
_HOP = LogMelConfig.hop
_REVISION = 1  # part of the fingerprints: raise it when a change here changes the numbers


class _Spectral:
    """Base of the three encoders; a subclass computes the frames."""

    sample_rate: int = _SAMPLE_RATE
    window: float | None = None
    frame_rate: float | None = _SAMPLE_RATE / _HOP
    sources: tuple[str, ...] = ("sequence",)
    info = EncoderInfo(parameters=0, trained_on=())

    def __init__(self, *, name: str, dim: int, fingerprint: str) -> None:
        self.layers: tuple[str, ...] = (name,)
        self.dim = dim
        self.fingerprint = fingerprint

    def __call__(self, audio: Tensor) -> Tokens:
        """Encode mono audio.

        Args:
            audio: (batch, samples) in [-1, 1] at 16 kHz, of any length.

        Returns:
            Tokens with a sequence (batch, samples // 512 + 1, 1, dim), float32.
        """
        return Tokens(sequence=self._frames(audio)[:, :, None])

    def _frames(self, audio: Tensor) -> Tensor:
        """(B, samples) to (B, T, dim)."""
        raise NotImplementedError


class LogMel(_Spectral):
    """Log-mel spectrogram, computed by the front end of ViT-1D.

    Args:
        bins: number of bands, 1 to 256.

    Raises:
        ConfigError: the number of bands is out of range.
    """

    def __init__(self, *, bins: int = 128) -> None:
        _check("logmel", "bins", bins, highest=256)  # with more bands, some would be empty
        config = LogMelConfig(bins=bins)
        parts = ("logmel", _REVISION, asdict(config), VERSION)
        super().__init__(name="logmel", dim=bins, fingerprint=digest(*parts))
        self._module = frontend.LogMel(config)

    def _frames(self, audio: Tensor) -> Tensor:
        frames: Tensor = self._module.to(audio.device)(audio)
        return frames


class Mfcc(_Spectral):
    """Mel-frequency cepstral coefficients, including the 0th (level), without deltas.

    Args:
        coefficients: number of coefficients, 1 to 128.

    Raises:
        ConfigError: the number of coefficients is out of range.
    """

    def __init__(self, *, coefficients: int = 20) -> None:
        _check("mfcc", "coefficients", coefficients, highest=LogMelConfig.bins)
        mel = LogMelConfig().mel_options()
        # the options as torchaudio named them, so that entries of the cache are found
        options = {"n_mfcc": coefficients, "dct_type": 2, "norm": "ortho", "log_mels": True}
        parts = ("mfcc", _REVISION, {**options, "melkwargs": {**mel, "power": 2.0}}, VERSION)
        super().__init__(name="mfcc", dim=coefficients, fingerprint=digest(*parts))
        self._module = torch_transforms.Mfcc(_SAMPLE_RATE, coefficients, mel)

    def _frames(self, audio: Tensor) -> Tensor:
        time = audio.shape[-1] // _HOP + 1
        padded = pad_to_fit(audio.float(), LogMelConfig.n_fft)
        frames: Tensor = self._module.to(audio.device)(padded)  # (B, C, T)
        return frames[..., :time].transpose(1, 2).contiguous()


class Chroma(_Spectral):
    """Chroma from a constant-Q transform (librosa), from C to B, maximum of each frame 1.

    The transform has seven octaves from C1, 36 bins per octave. The tuning is fixed at A4 = 440 Hz,
    so that a frame does not depend on the length of the audio. Every frame is normalised to a
    maximum of 1, except silence, which is zero. The CPU computes the frames for audio on any
    device.
    """

    _OPTIONS: Mapping[str, Any] = {
        "fmin": 440.0 * 2 ** (-45 / 12),  # C1
        "tuning": 0.0,
        "n_chroma": 12,
        "n_octaves": 7,
        "bins_per_octave": 36,
        "threshold": 0.0,
        "cqt_mode": "full",
    }
    _SHORTEST = 1 << 15  # samples; the filters of the lowest octave are longer than shorter audio

    def __init__(self) -> None:
        parts = ("chroma", _REVISION, self._OPTIONS, "norm=inf", version("librosa"))
        super().__init__(name="chroma", dim=12, fingerprint=digest(*parts))

    def _frames(self, audio: Tensor) -> Tensor:
        import librosa  # the import takes seconds; runs on cached embeddings do not need it

        time = audio.shape[-1] // _HOP + 1
        padded = F.pad(audio.float(), (0, max(0, self._SHORTEST - audio.shape[-1])))
        chroma = librosa.feature.chroma_cqt(
            y=padded.cpu().numpy(), sr=_SAMPLE_RATE, hop_length=_HOP, norm=np.inf, **self._OPTIONS
        )  # (B, 12, T)
        frames = torch.from_numpy(chroma[..., :time].astype(np.float32))
        return frames.transpose(1, 2).contiguous().to(audio.device)


def _check(encoder: str, option: str, value: int, *, highest: int) -> None:
    if not 1 <= value <= highest:
        raise ConfigError(f"{encoder}: {option}={value} must lie between 1 and {highest}")
