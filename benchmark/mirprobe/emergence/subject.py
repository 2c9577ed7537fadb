"""The models under study: a trained ViT-1D and its twins with random weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from mirprobe.encoders.vit1d import RandomViT1D, ViT1DEncoder, random_model
from mirprobe.errors import StorageError
from mirprobe.fingerprint import digest, file_digest
from mirprobe.schema import Floating
from mirprobe.vit1d.attention import READINGS, look
from mirprobe.vit1d.checkpoint import load_checkpoint, read_config
from mirprobe.vit1d.frontend import LogMel
from mirprobe.vit1d.model import CONFIGS, ViT1D, ViT1DConfig
from mirprobe.windows import cut, stitch

BATCH = 8  # windows a call

TRAINED = "trained"
RANDOM = "random"


@dataclass(frozen=True, eq=False)
class Look:
    """What a model makes of one track; frame i is centred at i / frame_rate seconds.

    Attributes:
        curves: (time, layers, heads + 1, readings) of `mirprobe.vit1d.attention`.
        tokens: (time, layers, dim), the sequence tokens.
        class_tokens: (windows, layers, dim).
        logmel: (time, bins), of the whole track at once.
    """

    curves: Floating
    tokens: Floating
    class_tokens: Floating
    logmel: Floating


class Subject:
    """A model that can be looked into.

    Args:
        name: `trained` or `random`.
        seed: of random weights; -1 for trained ones.
        encoder: the same weights for the harness.
        model: the weights.
        device: where it works.
    """

    def __init__(
        self, name: str, seed: int, encoder: ViT1DEncoder, model: ViT1D, device: str = "cpu"
    ) -> None:
        self.name = name
        self.seed = seed
        self.encoder = encoder
        self.config = model.config
        self.device = device
        self._model = model.eval().requires_grad_(False).to(device)
        self._logmel = LogMel(model.config.frontend).to(device)

    @property
    def frame_rate(self) -> float:
        """Frames a second."""
        return self.config.frontend.frame_rate

    @property
    def heads(self) -> tuple[str, ...]:
        """Names of the heads, `1` and up, and `mean` for their mean map."""
        return (*(str(head + 1) for head in range(self.config.heads)), "mean")

    def look(self, samples: NDArray[np.float32]) -> Look:
        """Read a track window by window, in the harness's windows, and stitch what was read.

        Args:
            samples: (samples,) at the front end's sample rate.
        """
        plan = cut(len(samples), self.encoder)
        windows = plan.windows(samples)
        curves: list[Floating] = []
        tokens: list[Floating] = []
        class_tokens: list[Floating] = []
        with torch.inference_mode():
            for start in range(0, len(windows), BATCH):
                batch = torch.from_numpy(np.stack(windows[start : start + BATCH]))
                found, read = look(self._model, self._logmel(batch.to(self.device)))
                curves += list(read.flatten(3).cpu().numpy())  # (T, layers, (heads + 1) * readings)
                tokens += list(found[:, 1:].cpu().numpy())
                class_tokens += list(found[:, 0].cpu().numpy())
            whole = self._logmel(torch.from_numpy(samples)[None].to(self.device))[0].cpu().numpy()
        stitched = stitch(curves, plan, self.encoder)
        shape = (*stitched.shape[:2], len(self.heads), len(READINGS))
        return Look(
            curves=stitched.reshape(shape),
            tokens=stitch(tokens, plan, self.encoder),
            class_tokens=np.stack(class_tokens),
            logmel=whole,
        )


def trained(path: Path, device: str = "cpu") -> Subject:
    """The model of a checkpoint.

    Raises:
        StorageError: the file is missing, damaged or not a ViT-1D.
    """
    config = read_config(path)
    try:
        fingerprint = digest("vit1d", file_digest(path))
    except OSError as error:
        raise StorageError(f"{path}: cannot be read ({error.strerror or error})") from error
    build = partial(load_checkpoint, path)
    encoder = ViT1DEncoder(config=config, fingerprint=fingerprint, build=build)
    return Subject(TRAINED, -1, encoder, build(), device)


def untrained(config: ViT1DConfig, seeds: int, device: str = "cpu") -> Iterator[Subject]:
    """Random weights in the same architecture, seeds 0 to `seeds` - 1."""
    for seed in range(seeds):
        model = random_model(config, seed)
        yield Subject(RANDOM, seed, random_encoder(config, seed), model, device)


def random_encoder(config: ViT1DConfig, seed: int) -> ViT1DEncoder:
    """The registered control where it has this architecture, so that the cache may know it."""
    for name, known in CONFIGS.items():
        if known == config:
            return RandomViT1D(seed=seed, config=name)
    fingerprint = digest("random", config.as_dict(), seed, torch.__version__.split(".")[:2])
    build = partial(random_model, config, seed)
    return ViT1DEncoder(config=config, fingerprint=fingerprint, build=build)
