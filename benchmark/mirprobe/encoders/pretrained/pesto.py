"""PESTO, a self-supervised pitch estimator, with the weights of the `pesto-pitch` wheel."""

from __future__ import annotations

from collections import defaultdict
from importlib.metadata import version
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from mirprobe.api.encoder import EncoderInfo, lazy_info
from mirprobe.core.errors import ConfigError
from mirprobe.core.hashing import digest, file_digest
from mirprobe.core.schema import Tokens
from mirprobe.encoders.lazy_model import LazyModel
from mirprobe.encoders.pretrained.packaged import importing, packaged_file

_REVISION = 1  # part of the fingerprint: raise it when a change here changes the numbers
_COMMAND = "pip install pesto-pitch"
_RATE = 16_000
_SHORTEST = 4096  # samples; minimum for the mirror padding of the constant-Q transform
_AT_ONCE = 256  # frames


class Pesto(LazyModel):
    """PESTO (Riou et al., 2023), trained without labels to estimate pitch: model `mir-1k_g7`.

    Frames are the input of the last, translation-equivariant layer: three channels of 219 bins,
    three bins per semitone. Each frame depends only on one frame of a constant-Q transform, which
    mirrors the audio at the ends of a window.

    The checkpoint contains its configuration in containers of omegaconf. `torch.load` with
    `weights_only` admits these types, tensors and plain values, and unpickles nothing else.

    Args:
        hop: milliseconds between frames, 1 to 1000. The package uses 10; the default, 20, halves
            the computation.

    Raises:
        ConfigError: the package is not installed, or `hop` is out of range.

    Source: Riou, Lattner, Hadjeres & Peeters, *PESTO: pitch estimation with self-supervised
    transposition-equivariant objective*, ISMIR 2023.
    """

    sample_rate: int = _RATE
    window: float | None = 10.0
    layers: tuple[str, ...] = ("penultimate",)
    dim: int = 3 * 219
    sources: tuple[str, ...] = ("sequence",)

    def __init__(self, *, hop: float = 20) -> None:
        if not 1 <= hop <= 1000:
            raise ConfigError(f"pesto: hop={hop}: give milliseconds from 1 to 1000")
        path = "pesto/weights/mir-1k_g7.ckpt"
        self._weights = packaged_file("pesto", "pesto-pitch", path, _COMMAND)
        self._hop = round(hop * _RATE / 1000)  # samples
        self.frame_rate: float | None = _RATE / self._hop
        parts = (file_digest(self._weights), version("pesto-pitch"), self._hop)
        self.fingerprint = digest("pesto", _REVISION, *parts)

    @lazy_info("LGPL-3.0-only")
    def info(self) -> EncoderInfo:
        """Number of parameters of the checkpoint, and licence; no supervised tasks."""
        weights = _checkpoint(self._weights)["state_dict"]
        count = sum(value.numel() for name, value in weights.items() if name != "shift")
        return EncoderInfo(count, type(self).info.licence)

    def __call__(self, audio: Tensor) -> Tokens:
        """Encode mono windows.

        Args:
            audio: (batch, samples) in [-1, 1] at 16 kHz.

        Returns:
            Tokens with a sequence (batch, time, 1, 657), float32.
        """
        model = self._on(audio.device)
        time = audio.shape[1] // self._hop + 1
        padded = F.pad(audio.float(), (0, max(0, _SHORTEST - audio.shape[1])))
        bins = model.crop_cqt(model.preprocessor(padded, sr=_RATE))[:, :time]  # (B, T, 1, 219)
        parts = [self._frames(part) for part in torch.split(bins.flatten(0, 1), _AT_ONCE)]
        return Tokens(sequence=torch.cat(parts).view(len(audio), time, 1, self.dim))

    def _frames(self, bins: Tensor) -> Tensor:
        """(B, 1, 219) to (B, 657): the encoder up to its last layer."""
        encoder = self._model.encoder
        x = encoder.conv1(encoder.layernorm(bins))
        for layer in encoder.prefilt_layers:
            x = x + layer(x) if encoder.residual else layer(x)
        frames: Tensor = encoder.conv_layers(x).flatten(1)
        return frames

    def _load(self) -> Any:
        with importing("pesto", _COMMAND):
            from pesto.data import Preprocessor
            from pesto.model import PESTO, Resnet1d

        found = _checkpoint(self._weights)
        settings = found["hparams"]
        model = PESTO(
            Resnet1d(**settings["encoder"]),
            preprocessor=Preprocessor(
                1000 * self._hop / _RATE, sampling_rate=_RATE, **found["hcqt_params"]
            ),
            crop_kwargs=settings["pitch_shift"],
        )
        transform = {
            name: value
            for name, value in model.state_dict().items()
            if name.startswith("preprocessor.")  # computed rather than trained
        }
        model.load_state_dict({**transform, **found["state_dict"]})
        return model


def _checkpoint(path: Any) -> dict[str, Any]:
    """The checkpoint; only containers, numbers and tensors are unpickled."""
    with importing("pesto", _COMMAND):
        from omegaconf.base import ContainerMetadata, Metadata
        from omegaconf.dictconfig import DictConfig
        from omegaconf.listconfig import ListConfig
        from omegaconf.nodes import AnyNode

    containers = [ContainerMetadata, Metadata, DictConfig, ListConfig, AnyNode]
    plain = [defaultdict, dict, list, int, Any]
    with torch.serialization.safe_globals([*containers, *plain]):
        found: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return found
