"""The models under study: a trained ViT-1D and its twins with random weights."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from mirprobe.core.hashing import digest
from mirprobe.core.schema import Floating
from mirprobe.emergence.attention_maps import READINGS, tokens_and_curves
from mirprobe.encoders.vit1d import RandomViT1D, TrainedViT1D, ViT1DEncoder, random_model
from mirprobe.encoders.windows import layout_windows, stitch
from mirprobe.vit1d.checkpoint import load_checkpoint, read_config
from mirprobe.vit1d.frontend import LogMel
from mirprobe.vit1d.model import CONFIGS, ViT1D, ViT1DConfig

BATCH = 8  # windows a call

TRAINED = "trained"
RANDOM = "random"


@dataclass(frozen=True, eq=False)
class ModelOutput:
    """What a model makes of one track; frame i is centred at i / frame_rate seconds.

    Attributes:
        curves: (time, layers, heads + 1, readings) of `mirprobe.emergence.attention_maps`.
        tokens: (time, layers, dim), the sequence tokens.
        class_tokens: (windows, layers, dim).
        logmel: (time, bins), of the whole track at once.
        windows: the first frame of each of the model's windows.
    """

    curves: Floating
    tokens: Floating
    class_tokens: Floating
    logmel: Floating
    windows: tuple[int, ...]


@dataclass(frozen=True)
class ModelSpec:
    """Which model: cheap to send to another process, where it is loaded once.

    Attributes:
        name: `trained_spec` or `random`.
        seed: of random weights; -1 for trained ones.
        config: of the model.
        checkpoint: the file of trained weights.
    """

    name: str
    seed: int
    config: ViT1DConfig
    checkpoint: Path | None = None

    @property
    def label(self) -> str:
        """What rows and figures call it: `trained_spec`, `random 0`."""
        return self.name if self.seed < 0 else f"{self.name} {self.seed}"

    def encoder(self) -> ViT1DEncoder:
        """The same weights for the harness.

        Raises:
            StorageError: the checkpoint cannot be read.
        """
        if self.checkpoint is None:
            return random_encoder(self.config, self.seed)
        return TrainedViT1D(checkpoint=self.checkpoint)

    def model(self) -> ViT1D:
        """The weights themselves.

        Raises:
            StorageError: the checkpoint cannot be read.
        """
        if self.checkpoint is None:
            return random_model(self.config, self.seed)
        return load_checkpoint(self.checkpoint)


class InspectedModel:
    """A model that can be looked into.

    Args:
        weights: of the model.
        device: where it works.

    Raises:
        StorageError: the checkpoint cannot be read.
    """

    def __init__(self, weights: ModelSpec, device: str = "cpu") -> None:
        self.config = weights.config
        self._encoder = weights.encoder()  # it says how windows are cut
        self._device = device
        self._model = weights.model().eval().requires_grad_(False).to(device)
        self._logmel = LogMel(weights.config.frontend).to(device)

    @property
    def frame_rate(self) -> float:
        """Frames a second."""
        return self.config.frontend.frame_rate

    @property
    def heads(self) -> tuple[str, ...]:
        """Names of the heads, `1` and up, and `mean` for their mean map."""
        return (*(str(head + 1) for head in range(self.config.heads)), "mean")

    def inspect(self, samples: NDArray[np.float32]) -> ModelOutput:
        """Read a track window by window, in the harness's windows, and stitch what was read.

        Args:
            samples: (samples,) at the front end's sample rate.
        """
        layout = layout_windows(len(samples), self._encoder)
        windows = layout.cut(samples)
        curves: list[Floating] = []
        tokens: list[Floating] = []
        class_tokens: list[Floating] = []
        with torch.inference_mode():
            for start in range(0, len(windows), BATCH):
                batch = torch.from_numpy(np.stack(windows[start : start + BATCH]))
                found, read = tokens_and_curves(
                    self._model, self._logmel.inner(batch.to(self._device))
                )
                curves += list(read.flatten(3).cpu().numpy())  # (T, layers, (heads + 1) * readings)
                tokens += list(found[:, 1:].cpu().numpy())
                class_tokens += list(found[:, 0].cpu().numpy())
            whole = self._logmel(torch.from_numpy(samples)[None].to(self._device))[0].cpu().numpy()
        # readings compare a frame with the one before: the first is read in the window before
        for before, after, step in zip(curves, curves[1:], np.diff(layout.frames), strict=False):
            after[0] = before[step]
        stitched = stitch(curves, layout, self._encoder)
        shape = (*stitched.shape[:2], len(self.heads), len(READINGS))
        return ModelOutput(
            curves=stitched.reshape(shape),
            tokens=stitch(tokens, layout, self._encoder),
            class_tokens=np.stack(class_tokens),
            logmel=whole,
            windows=layout.frames,
        )


def trained_spec(checkpoint: Path) -> ModelSpec:
    """The weights of a checkpoint, none of which are loaded yet.

    Raises:
        StorageError: the file is missing, damaged or not a ViT-1D.
    """
    return ModelSpec(TRAINED, -1, read_config(checkpoint), checkpoint)


def random_specs(config: ViT1DConfig, seeds: int) -> list[ModelSpec]:
    """Random weights in the same architecture, seeds 0 to `seeds` - 1."""
    return [ModelSpec(RANDOM, seed, config) for seed in range(seeds)]


@lru_cache(maxsize=1)
def load_model(weights: ModelSpec, device: str) -> InspectedModel:
    """The model, ready to be looked into; the last one asked for is kept."""
    return InspectedModel(weights, device)


def random_encoder(config: ViT1DConfig, seed: int) -> ViT1DEncoder:
    """The registered control where it has this architecture, so that the cache may know it."""
    for name, known in CONFIGS.items():
        if known == config:
            return RandomViT1D(seed=seed, config=name)
    fingerprint = digest("random", config.as_dict(), seed, torch.__version__.split(".")[:2])
    build = partial(random_model, config, seed)
    return ViT1DEncoder(config=config, fingerprint=fingerprint, build=build)
