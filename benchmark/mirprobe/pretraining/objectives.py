"""Training objectives: NT-Xent, and CoJEPA, which adds a JEPA loss."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, distributed, nn
from torch.distributed.nn.functional import all_gather

from mirprobe.pretraining.jepa import Masks, Predictor, encode_visible, jepa_loss
from mirprobe.pretraining.nt_xent import nt_xent
from mirprobe.vit1d.model import ViT1D


class Objective(nn.Module):
    """A model and its training loss.

    The inputs are views (2, n, time, bins), the two segments of each of n tracks, and for masked
    objectives `Masks` of shape (2, n, ...). The outputs are scalars by name: "loss", whose mean
    over processes is the loss of the whole batch, and its parts, without gradients.

    Args:
        model: the encoder; NT-Xent uses only its class tokens.
        temperature: temperature of NT-Xent.
        shared: whether the batch is divided evenly over torch's default process group; NT-Xent then
            uses the whole batch.
        masked: whether the objective is called with masks.
    """

    def __init__(
        self, model: ViT1D, *, temperature: float, shared: bool = False, masked: bool = False
    ) -> None:
        super().__init__()
        self.model = model
        self.temperature = temperature
        self.shared = shared
        self.masked = masked

    def forward(self, views: Tensor, masks: Masks | None = None) -> dict[str, Tensor]:
        """The losses of this process's share of a batch."""
        raise NotImplementedError

    def contrast(self, classes: Tensor) -> Tensor:
        """NT-Xent of class tokens (2, n, dim) against those of all processes."""
        first, second = classes
        if not self.shared:
            return nt_xent(first, second, temperature=self.temperature)
        everyone = gather(classes)
        return nt_xent(
            first,
            second,
            temperature=self.temperature,
            candidates=(everyone[0], everyone[1]),
            offset=distributed.get_rank() * len(first),
        )


class NTXent(Objective):
    """NT-Xent only; with masks, on the visible frames."""

    def forward(self, views: Tensor, masks: Masks | None = None) -> dict[str, Tensor]:
        """The losses of this process's share of a batch."""
        frames = views.flatten(0, 1)
        if masks is None:
            tokens = last_tokens(self.model, frames)  # (2n, 1 + T, D)
        else:
            tokens = encode_visible(self.model, frames, masks.visible.flatten(0, 1))
        return {"loss": self.contrast(_paired(tokens[:, 0]))}


class CoJEPA(Objective):
    """NT-Xent on the full pass, and the JEPA loss of a second, masked pass.

    Args:
        model: as `Objective`.
        temperature: as `Objective`.
        shared: as `Objective`.
        depth: number of blocks of the predictor.
        weight: weight of the JEPA loss; the paper uses 1.
        generator: random generator of the initial weights of the predictor.
    """

    def __init__(
        self,
        model: ViT1D,
        *,
        temperature: float,
        shared: bool = False,
        depth: int = 6,
        weight: float = 1.0,
        generator: Generator | None = None,
    ) -> None:
        super().__init__(model, temperature=temperature, shared=shared, masked=True)
        self.predictor = Predictor(model.config, depth=depth, generator=generator)
        self.weight = weight

    def forward(self, views: Tensor, masks: Masks | None = None) -> dict[str, Tensor]:
        """The losses of this process's share of a batch."""
        if masks is None:
            raise ValueError("CoJEPA needs masks")
        frames = views.flatten(0, 1)  # (2n, T, F)
        masks = Masks(masks.visible.flatten(0, 1), masks.hidden.flatten(0, 1))
        full = last_tokens(self.model, frames)  # (2n, 1 + T, D)
        student = encode_visible(self.model, frames, masks.visible)
        predicted = self.predictor(student, masks)
        contrast = self.contrast(_paired(full[:, 0]))
        jepa = jepa_loss(predicted, full[:, 1:], masks.hidden)
        total = contrast + self.weight * jepa
        return {"loss": total, "ntxent": contrast.detach(), "jepa": jepa.detach()}


def last_tokens(model: ViT1D, frames: Tensor) -> Tensor:
    """Tokens of the last layer: (n, time, bins) to (n, 1 + time, dim)."""
    for layer in model.stream(frames):
        tokens = layer.tokens
    return tokens


def gather(classes: Tensor) -> Tensor:
    """Class tokens (2, n, dim) of all processes, (2, N, dim) in the order of their ranks.

    The backward pass sums the gradients from all processes for this process's share. Since
    processes also average the gradients of the parameters, the result is the gradient of the mean
    of their losses.
    """
    parts: tuple[Tensor, ...] = all_gather(classes)  # type: ignore[no-untyped-call]
    return torch.cat(parts, dim=1)


def _paired(classes: Tensor) -> Tensor:
    """(2n, dim), first views before second views, to (2, n, dim)."""
    return classes.view(2, -1, classes.shape[-1])
