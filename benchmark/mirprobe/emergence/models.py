"""The models under study: a trained ViT-1D, and the same architecture with random weights."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mirprobe.core.hashing import digest
from mirprobe.core.schema import Floating, Tokens
from mirprobe.emergence.attention_maps import READINGS, tokens_and_curves
from mirprobe.encoders.vit1d import RandomViT1D, TrainedViT1D, ViT1DEncoder, random_model
from mirprobe.encoders.windows import layout_windows, stitch
from mirprobe.vit1d.checkpoint import read_config
from mirprobe.vit1d.model import CONFIGS, ViT1DConfig

BATCH = 8  # windows per call

TRAINED = "trained"
RANDOM = "random"
EQUAL, CONCAT = "equal", "concat"


@dataclass(frozen=True, eq=False)
class ModelOutput:
    """Tokens and attention curves of one track; frame i is centred at i / frame_rate seconds.

    Attributes:
        curves: (time, layers, heads + 1, readings), from `mirprobe.emergence.attention_maps`.
        tokens: (time, layers, dim), the sequence tokens.
        class_tokens: (windows, layers, dim).
        logmel: (time, bins), computed on the whole track.
        windows: first frame of each window of the model.
    """

    curves: Floating
    tokens: Floating
    class_tokens: Floating
    logmel: Floating
    windows: tuple[int, ...]


@dataclass(frozen=True)
class ModelSpec:
    """A description of a model, which another process can load.

    Attributes:
        name: `trained` or `random`.
        seed: seed of random weights; -1 for trained weights.
        config: architecture.
        checkpoint: file of the trained weights; None for random weights.
    """

    name: str
    seed: int
    config: ViT1DConfig
    checkpoint: Path | None = None

    @property
    def label(self) -> str:
        """Its name in progress bars: `trained`, `random 0`."""
        return self.name if self.seed < 0 else f"{self.name} {self.seed}"

    def encoder(self) -> ViT1DEncoder:
        """The model as an encoder of the harness.

        Raises:
            StorageError: the checkpoint cannot be read.
        """
        if self.checkpoint is None:
            return random_encoder(self.config, self.seed)
        return TrainedViT1D(checkpoint=self.checkpoint)


class WithClassToken:
    """A ViT-1D whose class token joins each sequence token, so that it has the weight of them all.

    The mean of the sequence is then the mean of class token and mean sequence token (`equal`), or
    both in a row (`concat`).

    Args:
        encoder: the model.
        join: `equal` for the mean of the two tokens, `concat` for their concatenation.
    """

    sources: tuple[str, ...] = ("sequence",)

    def __init__(self, encoder: ViT1DEncoder, join: str) -> None:
        self.sample_rate, self.window = encoder.sample_rate, encoder.window
        self.context, self.frame_rate = encoder.context, encoder.frame_rate
        self.layers, self.info = encoder.layers, encoder.info
        self.dim = encoder.dim * (2 if join == CONCAT else 1)
        self.fingerprint = digest("with class token", 1, join, encoder.fingerprint)
        self._encoder, self._join = encoder, join

    def __call__(self, audio: Tensor) -> Tokens:
        """Encode as the model; the sequence is (batch, time, layers, dim), without class token."""
        tokens = self._encoder(audio)
        assert tokens.sequence is not None
        assert tokens.class_token is not None
        beside = tokens.class_token[:, None].expand_as(tokens.sequence)
        if self._join == CONCAT:
            return Tokens(sequence=torch.cat((tokens.sequence, beside), dim=-1))
        return Tokens(sequence=(tokens.sequence + beside) / 2)


def head_names(config: ViT1DConfig) -> tuple[str, ...]:
    """Names of the heads, from `1`, and `mean` for their mean map."""
    return (*(str(head + 1) for head in range(config.heads)), "mean")


class InspectedModel:
    """A loaded model that gives tokens and attention curves of whole tracks.

    Args:
        weights: the model.
        device: device of the model.

    Raises:
        StorageError: the checkpoint cannot be read.
    """

    def __init__(self, weights: ModelSpec, device: str = "cpu") -> None:
        self.config = weights.config
        self._encoder = weights.encoder()  # defines how windows are cut
        self._device = device
        self._logmel, self._model = self._encoder._on(device)

    def inspect(self, samples: NDArray[np.float32]) -> ModelOutput:
        """Process a track in the windows of the harness and join the results.

        Args:
            samples: (samples,) at the front end's sample rate.
        """
        layout, device = layout_windows(len(samples), self._encoder), self._device
        windows = layout.cut(samples)
        curves, tokens, class_tokens = (list[Floating]() for _ in range(3))
        with torch.inference_mode():
            for start in range(0, len(windows), BATCH):
                batch = torch.from_numpy(np.stack(windows[start : start + BATCH]))
                frames = self._logmel.inner(batch.to(device))
                found, read = tokens_and_curves(self._model, frames)
                curves += list(read.flatten(3).cpu().numpy())  # (T, layers, (heads + 1) * readings)
                tokens += list(found[:, 1:].cpu().numpy())
                class_tokens += list(found[:, 0].cpu().numpy())
            whole = self._logmel(torch.from_numpy(samples)[None].to(device))[0].cpu().numpy()
        # some readings use the previous frame, so the first frame is taken from the previous window
        for before, after, step in zip(curves, curves[1:], np.diff(layout.frames), strict=False):
            after[0] = before[step]
        stitched = stitch(curves, layout, self._encoder)
        return ModelOutput(
            curves=stitched.reshape(*stitched.shape[:2], -1, len(READINGS)),
            tokens=stitch(tokens, layout, self._encoder),
            class_tokens=np.stack(class_tokens),
            logmel=whole,
            windows=layout.frames,
        )


def trained_spec(checkpoint: Path) -> ModelSpec:
    """The description of a checkpoint; its weights are not loaded.

    Raises:
        StorageError: the file is missing, damaged or not a ViT-1D.
    """
    return ModelSpec(TRAINED, -1, read_config(checkpoint), checkpoint)


def random_specs(config: ViT1DConfig, seeds: int) -> list[ModelSpec]:
    """Descriptions of models with random weights, with seeds 0 to `seeds` - 1."""
    return [ModelSpec(RANDOM, seed, config) for seed in range(seeds)]


load_model = lru_cache(maxsize=1)(InspectedModel)
"""Load a model; the last one is cached."""


def random_encoder(config: ViT1DConfig, seed: int) -> ViT1DEncoder:
    """An encoder with random weights; the registered one if its architecture is this one.

    The registered encoder shares its cache entries with other runs.
    """
    for name, known in CONFIGS.items():
        if known == config:
            return RandomViT1D(seed=seed, config=name)
    fingerprint = digest("random", config.as_dict(), seed, torch.__version__.split(".")[:2])
    build = partial(random_model, config, seed)
    return ViT1DEncoder(config=config, fingerprint=fingerprint, build=build)
