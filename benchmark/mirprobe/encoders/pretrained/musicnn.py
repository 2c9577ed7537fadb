"""MusiCNN, a network trained to tag music, with the weights of the `musicnn` wheel."""

from __future__ import annotations

from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mirprobe.api.encoder import EncoderInfo, lazy_info
from mirprobe.core.errors import ConfigError
from mirprobe.core.hashing import digest, file_digest
from mirprobe.core.schema import Tokens
from mirprobe.core.torch_transforms import VERSION, MelSpectrogram
from mirprobe.encoders.lazy_model import LazyModel
from mirprobe.encoders.pretrained.musicnn_model import (
    BANDS,
    CLIP,
    FRAMES,
    from_variables,
)
from mirprobe.encoders.pretrained.packaged import packaged_file
from mirprobe.encoders.pretrained.tensorflow_bundle import Variable, read_index, read_variables

_REVISION = 1  # part of the fingerprint: raise it when a change here changes the numbers
_MODELS = ("MTT_musicnn", "MSD_musicnn")
_EMBEDDINGS = ("frames", "clip")
_COMMAND = "pip install --no-deps musicnn"
_RATE, _HOP = 16_000, 256
_FRAMES = 187  # per window, as in training
_LATE = 96  # samples; mean delay of the trained filters: 0.6 frames for MTT, 0.2 for MSD
_TRAINED = ("kernel", "bias", "gamma", "beta")


class MusiCnn(LazyModel):
    """MusiCNN (Pons & Serra, 2019), trained to tag MagnaTagATune or the Million Song Dataset.

    Windows have 187 frames (2.976 s), as in training and in the package, and are padded with zeros
    at both ends. The input is log10(10000 * mel + 1) of 96 mel bands in float32; the package uses
    float16, which overflows in loud music.

    Frames are the input of the back end: 408 timbral and 153 temporal features of the front end,
    and 64 features of each of the three middle convolutions. The clip vector is the layer before
    the tags. Frames and clip vector differ in size, so an encoder has one of them. The trained
    filters react to an impulse 0.6 frames late in `MTT_musicnn` and 0.2 frames late in
    `MSD_musicnn`; frames are advanced by 6 ms to compensate.

    The weights are read from the TensorFlow checkpoint without TensorFlow. Frames (without the 6
    ms) and clip vectors differ from those of the package under TensorFlow 2.21 and librosa 0.9.2 by
    at most 3e-6 of their largest value.

    Args:
        model: `MTT_musicnn` (MagnaTagATune) or `MSD_musicnn` (Million Song Dataset).
        embedding: `frames` (753 dimensions, 62.5 frames per second) or `clip` (200 dimensions, one
            vector per window, no frames).

    Raises:
        ConfigError: the package is not installed, or an option is unknown.

    Source: Pons & Serra, *musicnn: pre-trained convolutional neural networks for music audio
    tagging*, 2019.
    """

    sample_rate: int = _RATE
    window: float | None = (_FRAMES - 1) * _HOP / _RATE

    def __init__(self, *, model: str = "MTT_musicnn", embedding: str = "frames") -> None:
        for option, value, known in (
            ("model", model, _MODELS),
            ("embedding", embedding, _EMBEDDINGS),
        ):
            if value not in known:
                raise ConfigError(f"musicnn has no {option} '{value}'; it has {', '.join(known)}")
        files = (f"musicnn/{model}/.index", f"musicnn/{model}/.data-00000-of-00001")
        self._index, self._data = (
            packaged_file("musicnn", "musicnn", file, _COMMAND) for file in files
        )
        self._trained_on = ("magnatagatune" if model.startswith("MTT") else "Million Song Dataset",)
        self._clip = embedding == "clip"
        self.layers: tuple[str, ...] = ("penultimate",) if self._clip else ("frames",)
        self.dim = CLIP if self._clip else FRAMES
        self.frame_rate: float | None = None if self._clip else _RATE / _HOP
        self.sources: tuple[str, ...] = ("class",) if self._clip else ("sequence",)
        hashes = [file_digest(file) for file in (self._index, self._data)]
        self.fingerprint = digest("musicnn", _REVISION, embedding, hashes, VERSION)

    @lazy_info("ISC")
    def info(self) -> EncoderInfo:
        """Number of parameters (including the output layer), licence, supervised tasks."""
        variables = self._variables()
        trained = {n: v for n, v in variables.items() if n.rpartition("/")[2] in _TRAINED}
        count = sum(prod(entry.shape) for entry in trained.values())
        return EncoderInfo(count, type(self).info.licence, ("tagging",), self._trained_on)

    def __call__(self, audio: Tensor) -> Tokens:
        """Encode mono windows.

        Args:
            audio: (batch, samples) in [-1, 1] at 16 kHz.

        Returns:
            Tokens, float32: a sequence (batch, samples // 256 + 1, 1, 753), or a class token
            (batch, 1, 200).

        Raises:
            EncoderError: the checkpoint cannot be read.
        """
        mel, network = self._on(audio.device)
        late = 0 if self._clip else _LATE
        padded = F.pad(audio.float(), (_HOP - late, _HOP + late))
        logmel = torch.log10(10_000 * mel(padded) + 1).transpose(1, 2)  # (B, T, 96)
        frames = network.frames(logmel)
        if self._clip:
            return Tokens(class_token=network.clip(frames)[:, None])
        return Tokens(sequence=frames[:, :, None])

    def _load(self) -> nn.Module:
        model = from_variables(read_variables(self._data, self._variables()))
        return nn.ModuleList([_mel(), model])

    def _variables(self) -> dict[str, Variable]:
        """The variables of the model, without those of the optimiser."""
        return {n: v for n, v in read_index(self._index).items() if "/" in n and "Adam" not in n}


def _mel() -> nn.Module:
    """The mel spectrogram with the defaults of librosa, except for the padding."""
    mel: nn.Module = MelSpectrogram(
        _RATE,
        n_fft=2 * _HOP,
        hop_length=_HOP,
        n_mels=BANDS,
        norm="slaney",
        mel_scale="slaney",
        center=False,  # the caller pads
    )
    return mel
