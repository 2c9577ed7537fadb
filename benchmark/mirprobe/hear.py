"""ViT-1D as a module of the HEAR 2021 API, for heareval and other programs that use it.

See `mirprobe.encoders.hear` for the API; `hear-validator mirprobe.hear -m FILE` checks this side.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from mirprobe.encoders.vit1d import ViT1DEncoder
from mirprobe.encoders.windows import WindowLayout, layout_windows, stitch
from mirprobe.vit1d.checkpoint import load_checkpoint, weights_path
from mirprobe.vit1d.frontend import LogMel
from mirprobe.vit1d.model import ViT1D


class HearViT1D(nn.Module):
    """A ViT-1D with the attributes that the API requires of a model.

    Attributes:
        sample_rate: in Hz.
        scene_embedding_size: size of a clip vector, the class token of the last layer.
        timestamp_embedding_size: size of a frame, a sequence token of the last layer.
    """

    def __init__(self, model: ViT1D) -> None:
        super().__init__()
        self.model = model
        self.logmel = LogMel(model.config.frontend)
        self._encoder = ViT1DEncoder(config=model.config, fingerprint="", build=lambda: model)
        self.sample_rate: int = model.config.frontend.sample_rate
        self.scene_embedding_size: int = model.config.dim
        self.timestamp_embedding_size: int = model.config.dim

    @torch.inference_mode()
    def forward(self, audio: Tensor) -> tuple[Tensor, Tensor]:
        """Encode audio of any length, in windows of the model's length.

        Args:
            audio: (batch, samples) in [-1, 1] at `sample_rate`.

        Returns:
            The last layer's frames (batch, time, dim), frame i centred at 32 * i milliseconds, and
            its class tokens (batch, windows, dim); float32.

        Raises:
            ValueError: the audio does not have two dimensions, or is empty.
        """
        if audio.ndim != 2 or not audio.numel():
            raise ValueError(f"audio has shape {tuple(audio.shape)}, not (n_sounds, n_samples)")
        layout = layout_windows(audio.shape[1], self._encoder)
        frames, classes = [], []
        for tokens, class_token in self._windows(audio, layout):
            frames.append(tokens.transpose(0, 1).cpu().numpy())  # (T, B, D)
            classes.append(class_token)
        stitched = torch.from_numpy(stitch(frames, layout, self._encoder).swapaxes(0, 1))
        return stitched.contiguous().to(audio.device), torch.stack(classes, dim=1)

    def _windows(self, audio: Tensor, layout: WindowLayout) -> Iterator[tuple[Tensor, Tensor]]:
        """The last layer's tokens of each window: (batch, T, dim) and (batch, dim)."""
        if layout.padded:  # shorter than a window: the model needs no padding
            *_, last = self.model.stream(self.logmel(audio))
            yield last.tokens[:, 1:], last.tokens[:, 0]
            return
        # those of the harness, so that both give the same embeddings
        cut = [layout.cut(sound.cpu().numpy()) for sound in audio]
        for windows in zip(*cut, strict=True):
            tokens = self._encoder(torch.from_numpy(np.stack(windows)).to(audio.device))
            assert tokens.sequence is not None
            assert tokens.class_token is not None
            yield tokens.sequence[:, :, -1], tokens.class_token[:, -1]


def load_model(model_file_path: str = "") -> HearViT1D:
    """Load a ViT-1D.

    Args:
        model_file_path: a checkpoint of `mirprobe pretrain`; empty for the weights of this package.

    Raises:
        ConfigError: none is named and this package has none.
        StorageError: the file is missing, damaged, not safetensors or not a ViT-1D.
    """
    path = weights_path(Path(model_file_path) if model_file_path else None)
    model = load_checkpoint(path).eval().requires_grad_(False)
    return HearViT1D(model)


def get_timestamp_embeddings(audio: Tensor, model: HearViT1D) -> tuple[Tensor, Tensor]:
    """One embedding per 32 ms: the sequence tokens of the last layer.

    Args:
        audio: (n_sounds, n_samples) in [-1, 1] at the model's rate.
        model: of `load_model`.

    Returns:
        Embeddings (n_sounds, n_timestamps, dim) and the centres of their frames in milliseconds
        (n_sounds, n_timestamps), float32 on the device of `audio`.
    """
    frames, _ = model(audio)
    hop = 1000 * model.model.config.frontend.hop / model.sample_rate
    times = torch.arange(frames.shape[1], device=audio.device) * hop
    return frames, times.float().expand(frames.shape[:2])


def get_scene_embeddings(audio: Tensor, model: HearViT1D) -> Tensor:
    """One embedding per sound: the mean of the last layer's class token over its windows.

    Args:
        audio: (n_sounds, n_samples) in [-1, 1] at the model's rate.
        model: of `load_model`.

    Returns:
        (n_sounds, dim), float32 on the device of `audio`.
    """
    _, classes = model(audio)
    scenes: Tensor = classes.mean(1)
    return scenes
