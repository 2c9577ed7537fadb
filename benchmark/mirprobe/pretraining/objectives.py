"""What is minimised: NT-Xent, or CoJEPA, which adds a JEPA loss; one interface for both."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, distributed, nn
from torch.distributed.nn.functional import all_gather

from mirprobe.pretraining.jepa import Masks, Predictor, encode_visible, jepa_loss
from mirprobe.pretraining.nt_xent import nt_xent
from mirprobe.vit1d.model import ViT1D


class Objective(nn.Module):
    """A model and the loss that it is trained with.

    Called with views (2, n, time, bins), the two segments of each of n tracks, and for objectives
    that mask with `Masks` of (2, n, ...). Returns scalars by name: "loss", whose mean over the
    processes is that of the whole batch, and its parts without gradients.

    Args:
        model: the encoder; only its class tokens meet NT-Xent.
        temperature: of NT-Xent.
        shared: the batch is spread evenly over torch's default process group, and NT-Xent sees
            all of it.
        masked: it is called with masks.
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
        """The losses of this process's part of a batch."""
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
    """Contrast alone; with masks, of what is visible."""

    def forward(self, views: Tensor, masks: Masks | None = None) -> dict[str, Tensor]:
        """The losses of this process's part of a batch."""
        frames = views.flatten(0, 1)
        if masks is None:
            tokens = last_tokens(self.model, frames)  # (2n, 1 + T, D)
        else:
            tokens = encode_visible(self.model, frames, masks.visible.flatten(0, 1))
        return {"loss": self.contrast(_paired(tokens[:, 0]))}


class CoJEPA(Objective):
    """Contrast on the full pass, and prediction of what a second pass was not shown.

    Args:
        model: as `Objective`.
        temperature: as `Objective`.
        shared: as `Objective`.
        depth: blocks of the predictor.
        weight: of the JEPA loss; the paper adds the two as they are.
        generator: draws the predictor's weights.
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
        """The losses of this process's part of a batch."""
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
    """The last layer alone, (n, 1 + time, dim), of (n, time, bins)."""
    for layer in model.stream(frames):
        tokens = layer.tokens
    return tokens


def gather(classes: Tensor) -> Tensor:
    """Class tokens (2, n, dim) of every process, (2, N, dim) in the order of their ranks.

    Backward sums what all processes send to this one's part; since they also average their
    parameters' gradients, the result is the gradient of the mean of their losses.
    """
    parts: tuple[Tensor, ...] = all_gather(classes)  # type: ignore[no-untyped-call]
    return torch.cat(parts, dim=1)


def _paired(classes: Tensor) -> Tensor:
    """(2n, dim), first views before second ones, to (2, n, dim)."""
    return classes.view(2, -1, classes.shape[-1])
