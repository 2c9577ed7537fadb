"""MusiCNN, a network trained to tag music, with the weights of the `musicnn` wheel."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import torch
import torch.nn.functional as F
import torchaudio
from torch import Tensor, nn

from mirprobe.api.encoder import EncoderInfo, lazy_info
from mirprobe.core.errors import ConfigError
from mirprobe.core.hashing import digest, file_digest
from mirprobe.core.schema import Tokens
from mirprobe.encoders.pretrained.musicnn_model import (
    BANDS,
    CLIP,
    FRAMES,
    MusiCNN,
    from_variables,
)
from mirprobe.encoders.pretrained.packaged import packaged_file
from mirprobe.encoders.pretrained.tensorflow_bundle import Variable, read_index, read_variables

_REVISION = 1  # part of the fingerprint: raise it when a change here changes the numbers
_MODELS = ("MTT_musicnn", "MSD_musicnn")
_EMBEDDINGS = ("frames", "clip")
_COMMAND = "pip install --no-deps musicnn"
_RATE, _HOP = 16_000, 256
_FRAMES = 187  # that the model was trained on
_LATE = 96  # samples by which trained filters react late: 0.6 frames of MTT, 0.2 of MSD, halfway
_TRAINED = ("kernel", "bias", "gamma", "beta")


class MusiCnn:
    """MusiCNN (Pons & Serra, 2019), trained on the tags of MagnaTagATune or of the MSD.

    Windows of 187 frames, 2.976 s, as the model was trained and as the package cuts them. Log-mel
    log10(10000 * mel + 1) of 96 bands in float32, where the package goes through float16, which
    overflows in loud music; silence lies before and after a window.

    Frames are what the back end is given: 408 timbral and 153 temporal features of the front end
    and 64 of each of the three convolutions of the middle. The clip vector is the layer before the
    tags. The two differ in size, so one of them is chosen. What the filters learned reacts to an
    impulse 0.6 frames late in one model and 0.2 in the other; frames are drawn 6 ms forward for it.

    The weights are read from TensorFlow's checkpoint without TensorFlow. Held against the package
    under TensorFlow 2.21 on the same audio (librosa 0.9.2), frames (without these 6 ms) and clip
    vectors differ by at most 3e-6 of their largest value.

    Args:
        model: `MTT_musicnn` (MagnaTagATune) or `MSD_musicnn` (Million Song Dataset).
        embedding: `frames`, 753 dimensions 62.5 times a second, or `clip`, 200 dimensions a window
            and no frames.

    Raises:
        ConfigError: the package is not installed, or an option is unknown.
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
        self._clip = embedding == "clip"
        self.layers: tuple[str, ...] = ("penultimate",) if self._clip else ("frames",)
        self.dim = CLIP if self._clip else FRAMES
        self.frame_rate: float | None = None if self._clip else _RATE / _HOP
        self.sources: tuple[str, ...] = ("class",) if self._clip else ("sequence",)
        hashes = [file_digest(file) for file in (self._index, self._data)]
        self.fingerprint = digest("musicnn", _REVISION, embedding, hashes, torchaudio.__version__)
        self._modules: tuple[nn.Module, MusiCNN] | None = None

    @lazy_info("ISC")
    def info(self) -> EncoderInfo:
        """Parameters (with those of the tags), licence, and that it learned from tags."""
        known = EncoderInfo(licence=type(self).info.licence, supervised=("tagging",))
        variables = self._variables()
        trained = {n: v for n, v in variables.items() if n.rpartition("/")[2] in _TRAINED}
        return replace(known, parameters=sum(prod(entry.shape) for entry in trained.values()))

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
        if self._modules is None:
            # weights made in inference mode could never be used outside of it
            with torch.inference_mode(False):
                model = from_variables(read_variables(self._data, self._variables()))
                self._modules = _mel(), model
        mel, network = self._modules
        mel, network = mel.to(audio.device), network.to(audio.device)
        late = 0 if self._clip else _LATE
        padded = F.pad(audio.float(), (_HOP - late, _HOP + late))
        logmel = torch.log10(10_000 * mel(padded) + 1).transpose(1, 2)  # (B, T, 96)
        frames = network.frames(logmel)
        if self._clip:
            return Tokens(class_token=network.clip(frames)[:, None])
        return Tokens(sequence=frames[:, :, None])

    def _variables(self) -> dict[str, Variable]:
        """Those of the model, without the optimiser's."""
        return {n: v for n, v in read_index(self._index).items() if "/" in n and "Adam" not in n}


def _mel() -> nn.Module:
    """The mel spectrogram as librosa's defaults have it, but for the padding."""
    mel: nn.Module = torchaudio.transforms.MelSpectrogram(
        _RATE,
        n_fft=2 * _HOP,
        hop_length=_HOP,
        n_mels=BANDS,
        power=2.0,
        norm="slaney",
        mel_scale="slaney",
        center=False,  # the caller pads
    )
    return mel
