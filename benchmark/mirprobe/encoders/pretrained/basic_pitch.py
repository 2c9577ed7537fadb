"""Basic Pitch, a note transcription network: the ONNX model of the `basic-pitch` wheel."""

from __future__ import annotations

from importlib.metadata import version
from math import ceil, prod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from mirprobe.api.encoder import EncoderInfo, lazy_info
from mirprobe.core.hashing import digest, file_digest
from mirprobe.core.schema import Tokens
from mirprobe.encoders.pretrained.packaged import importing, packaged_file
from mirprobe.encoders.pretrained.tensorflow_bundle import read_index

_REVISION = 1  # part of the fingerprint: raise it when a change here changes the numbers
_COMMAND = "pip install onnxruntime && pip install --no-deps basic-pitch"
_MODEL = "basic_pitch/saved_models/icassp_2022/"
_RATE, _HOP = 22_050, 256
_INPUT = "serving_default_input_2:0"  # (B, 43844, 1)
_OUTPUTS = tuple(f"StatefulPartitionedCall:{number}" for number in (1, 2, 0))
_SAMPLES, _FRAMES = 43_844, 172  # of one window of the model
_OVERLAP = 15  # frames dropped at each end of a window
_AT_ONCE = 8  # windows per call of the model


class BasicPitch:
    """Basic Pitch (Bittner et al., 2022), trained to transcribe notes.

    Frames are the posteriors that the model outputs: 88 notes and 88 onsets, one per semitone, and
    264 pitch contours, three per semitone. The model receives windows of two seconds; 15 frames at
    each end of a window are dropped, as in the package. Onsets appear half a frame early.
    onnxruntime computes the frames on the CPU, also for audio on another device.

    Source: Bittner, Bosch, Rubinstein, Meseguer-Brocal & Ewert, *A lightweight instrument-agnostic
    model for polyphonic note transcription and multipitch estimation*, ICASSP 2022.

    Raises:
        ConfigError: the package or onnxruntime is not installed.
    """

    sample_rate: int = _RATE
    window: float | None = None
    frame_rate: float | None = _RATE / _HOP
    layers: tuple[str, ...] = ("posteriors",)
    dim: int = 88 + 88 + 264
    sources: tuple[str, ...] = ("sequence",)

    def __init__(self) -> None:
        self._onnx = packaged_file("basic-pitch", "basic-pitch", f"{_MODEL}nmp.onnx", _COMMAND)
        packaged_file("basic-pitch", "onnxruntime", "onnxruntime/__init__.py", _COMMAND)
        self.fingerprint = digest(
            "basic-pitch", _REVISION, file_digest(self._onnx), version("onnxruntime")
        )
        self._session: Any = None

    @lazy_info("Apache-2.0")
    def info(self) -> EncoderInfo:
        """Number of parameters (from the checkpoint in the package), licence, supervised tasks.

        Raises:
            ConfigError: the package does not contain the checkpoint.
        """
        path = f"{_MODEL}nmp/variables/variables.index"
        index = read_index(packaged_file("basic-pitch", "basic-pitch", path, _COMMAND))
        trained = [
            variable
            for name, variable in index.items()
            if name.startswith("layer_with_weights")
            and "OPTIMIZER" not in name
            and "/moving_" not in name
        ]
        count = sum(prod(variable.shape) for variable in trained)
        return EncoderInfo(count, type(self).info.licence, ("onset", "pitch"))

    def __call__(self, audio: Tensor) -> Tokens:
        """Encode mono audio.

        Args:
            audio: (batch, samples) in [-1, 1] at 22.05 kHz, of any length.

        Returns:
            Tokens with a sequence (batch, samples // 256 + 1, 1, 440), float32.
        """
        if self._session is None:
            self._session = _session(str(self._onnx))
        time = audio.shape[1] // _HOP + 1
        step = _FRAMES - 2 * _OVERLAP
        windows = ceil(time / step)
        before = _OVERLAP * _HOP
        after = (windows - 1) * step * _HOP + _SAMPLES - before - audio.shape[1]
        cut = F.pad(audio.float(), (before, after)).unfold(1, _SAMPLES, step * _HOP)
        frames = [self._run(part) for part in torch.split(cut.flatten(0, 1), _AT_ONCE)]
        sequence = torch.cat(frames)[:, _OVERLAP:-_OVERLAP]  # (B * windows, step, 440)
        sequence = sequence.reshape(len(audio), windows * step, 1, self.dim)[:, :time]
        return Tokens(sequence=sequence.to(audio.device))

    def _run(self, windows: Tensor) -> Tensor:
        """(B, 43844) to (B, 172, 440)."""
        found = self._session.run(_OUTPUTS, {_INPUT: windows[:, :, None].cpu().numpy()})
        return torch.cat([torch.from_numpy(values) for values in found], dim=2)


def _session(path: str) -> Any:
    with importing("basic-pitch", _COMMAND):
        import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # no warnings about the graph of the model
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
