"""ViT-1D as an encoder: with trained weights, and with random weights as a control."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from mirprobe.api.encoder import EncoderInfo, count_parameters, lazy_info
from mirprobe.core.errors import ConfigError
from mirprobe.core.hashing import digest, file_digest
from mirprobe.core.schema import Tokens
from mirprobe.encoders.lazy_model import LazyModel
from mirprobe.vit1d.checkpoint import load_checkpoint, read_config, weights_path
from mirprobe.vit1d.frontend import LogMel
from mirprobe.vit1d.model import CONFIGS, ViT1D, ViT1DConfig

_REVISION = 3  # part of the fingerprints: raise it when a change here changes the numbers


def _info(encoder: ViT1DEncoder) -> EncoderInfo:
    """Number of parameters (counted without loading weights), and licence of the weights."""
    count = count_parameters(partial(ViT1D, encoder._config))
    return EncoderInfo(count, encoder._licence, trained_on=encoder._trained_on)


class ViT1DEncoder(LazyModel):
    """A ViT-1D model, built at the first call.

    Args:
        config: configuration of the model.
        fingerprint: as in the Encoder protocol.
        build: returns the model with its weights.
        licence: of the weights; empty if unknown.
        trained_on: as in `EncoderInfo`.
    """

    layers: tuple[str, ...]
    sources: tuple[str, ...] = ("class", "sequence", "both")
    window: float | None
    context: float
    frame_rate: float | None
    info = lazy_info("")(_info)

    def __init__(
        self,
        *,
        config: ViT1DConfig,
        fingerprint: str,
        build: Callable[[], ViT1D],
        licence: str = "",
        trained_on: tuple[str, ...] | None = None,
    ) -> None:
        self.sample_rate = config.frontend.sample_rate
        self.window = config.window
        self.context = config.frontend.edge / config.frontend.frame_rate
        self.frame_rate = config.frontend.frame_rate
        self.layers = config.layers
        self.dim = config.dim
        self.fingerprint = fingerprint
        self._config, self._build, self._licence = config, build, licence
        self._trained_on = trained_on

    def __call__(self, audio: Tensor) -> Tokens:
        """Encode mono windows.

        Args:
            audio: (batch, samples) in [-1, 1] at `sample_rate`: at most `window` seconds, plus
                `context` seconds on either side. With this context, frames equal those of the whole
                track, as in training.

        Returns:
            Tokens of all layers, float32: the sequence (batch, 126, layers, dim) for a whole window
            and the class token (batch, layers, dim).
        """
        logmel, model = self._on(audio.device)
        frames = logmel.inner(audio)  # (B, T, F)
        batch, time, _ = frames.shape
        # one buffer for all layers: torch.stack would need twice the memory
        tokens = frames.new_empty(batch, 1 + time, len(self.layers), self.dim)
        for index, layer in enumerate(model.stream(frames)):
            tokens[:, :, index] = layer.tokens
        return Tokens(sequence=tokens[:, 1:], class_token=tokens[:, 0])

    def _load(self) -> nn.Module:
        return nn.ModuleList([LogMel(self._config.frontend), self._build()])


class TrainedViT1D(ViT1DEncoder):
    """ViT-1D with trained weights: those of this package or of another checkpoint.

    The constructor reads the checkpoint, whose bytes determine the fingerprint. The model is built
    at the first call.

    Args:
        checkpoint: a file that `mirprobe pretrain` wrote; None for the weights of this package.

    Raises:
        ConfigError: no checkpoint is given, and this package contains none.
        StorageError: the file is missing, damaged, not safetensors or not a ViT-1D.
    """

    info = lazy_info("MIT")(_info)

    def __init__(self, *, checkpoint: str | Path | None = None) -> None:
        path = weights_path(None if checkpoint is None else Path(checkpoint))
        super().__init__(
            config=read_config(path),
            fingerprint=digest("vit1d", _REVISION, file_digest(path)),
            build=partial(load_checkpoint, path),
            licence="MIT" if checkpoint is None else "",
            trained_on=("mirprobe_tasks.pretraining_corpus",) if checkpoint is None else None,
        )


def random_model(config: ViT1DConfig, seed: int) -> ViT1D:
    """A model with weights that depend only on the seed; the global generator is unchanged."""
    with torch.random.fork_rng(devices=[]):  # the layers of torch draw initial weights from it
        return ViT1D(config, generator=torch.Generator().manual_seed(seed))


class RandomViT1D(ViT1DEncoder):
    """Control: ViT-1D with random weights, as before training.

    The fingerprint covers the configuration, the seed and the release of torch (such as `2.11`),
    since releases may initialise weights differently.

    Args:
        seed: of the weights. If it is not given, the encoder is a family of draws, of which this is
            the one with the seed 0.
        config: `vit1d` or `vit1d-rope`; None for the configuration of this package's weights.

    Raises:
        ConfigError: the configuration is unknown, or is not given and the package has no weights.
    """

    def __init__(self, *, seed: int | None = None, config: str | None = None) -> None:
        self.draw_option = "seed" if seed is None else ""
        seed = seed or 0
        if config is not None and config not in CONFIGS:
            raise ConfigError(f"vit1d-random has no config {config!r}: choose from {[*CONFIGS]}")
        chosen = read_config(weights_path(None)) if config is None else CONFIGS[config]
        release = torch.__version__.split(".")[:2]
        super().__init__(
            config=chosen,
            fingerprint=digest("vit1d-random", _REVISION, chosen.as_dict(), seed, release),
            build=partial(random_model, chosen, seed),
            trained_on=(),
        )
