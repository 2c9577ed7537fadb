"""Linear and one-hidden-layer probes, the configuration of their training, and their outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import nan
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from mirprobe.api.specs import nearest
from mirprobe.core.errors import ConfigError
from mirprobe.core.schema import Level

HIDDEN = 256


@dataclass(frozen=True)
class LbfgsConfig:
    """Linear probes at the optimum of their convex problem; see `probing/lbfgs.py`.

    Attributes:
        weight_decays: the grid that the validation loss chooses from, decreasing.
        sample: examples of each split with which they are compared.
    """

    weight_decays: tuple[float, ...]
    sample: int = 32_768

    def only(self, fit: Fit) -> LbfgsConfig:
        """The same training with a choice that has been made."""
        return replace(self, weight_decays=(fit.weight_decay,))

    def coarse(self) -> LbfgsConfig:
        """A quarter of the examples compare every second weight decay: for few tracks."""
        return replace(self, weight_decays=self.weight_decays[::2], sample=self.sample // 4)


@dataclass(frozen=True)
class AdamWConfig:
    """Probes that are trained by AdamW on minibatches; see `probing/adamw.py`.

    Attributes:
        hidden: units of the hidden layer, None for a linear probe.
        learning_rates: the grid that the validation loss chooses from, increasing.
        weight_decay: of AdamW.
        batch: examples a step, by level of the task.
        max_steps: the largest number of steps; None for no limit.
        check_every: least number of steps between two checks of the validation loss; it is never
            less than one pass over the training split. None: no early stopping, the last weights
            are kept.
        patience: checks without improvement of any probe before training ends.
        standardise: scale every dimension to zero mean and unit variance over the training split.
        weighted: a probe reads the sum of all layers, weighted by a learned softmax (SUPERB, Yang
            et al., Interspeech 2021, section 3); otherwise there is a probe for each layer.
        parts: of a track, of equal length. A probe reads their sum, weighted by the softmax over
            the products of each part with a learned query; 0 for probes of one vector.
    """

    hidden: int | None
    learning_rates: tuple[float, ...]
    weight_decay: float
    batch: Mapping[Level, int]
    max_steps: int | None
    check_every: int | None
    patience: int
    standardise: bool
    weighted: bool = False
    parts: int = 0

    def only(self, fit: Fit) -> AdamWConfig:
        """The same training with a choice that has been made."""
        return replace(self, learning_rates=(fit.learning_rate,))

    def coarse(self) -> AdamWConfig:
        """The same training: all learning rates are trained at once."""
        return self


@dataclass(frozen=True)
class KnnConfig:
    """Nearest neighbours; see `probing/knn.py`.

    Attributes:
        neighbours: the numbers of neighbours that the validation loss chooses from, increasing.
    """

    neighbours: tuple[int, ...]

    def only(self, fit: Fit) -> KnnConfig:
        """The same with a choice that has been made."""
        return replace(self, neighbours=(fit.neighbours,))

    def coarse(self) -> KnnConfig:
        """The same: there is no training."""
        return self


ProbeConfig = LbfgsConfig | AdamWConfig | KnnConfig

PARTS = 64
_KNN = KnnConfig((1, 2, 3, 5, 10, 20, 50))
_JOINED = AdamWConfig(
    None, (1e-3, 3e-3, 1e-2, 3e-2), 0.01, {"clip": 64, "frame": 1024}, None, 20, 5, True
)
_PAPER = AdamWConfig(None, (1e-3,), 0.01, {"clip": 128, "frame": 128}, 6400, None, 0, False)
PRESETS: dict[str, dict[str, ProbeConfig]] = {
    # PAPERS: one linear layer, AdamW 1e-3, 50 epochs of 128 steps of 128, no search
    "paper": {
        "linear": _PAPER,
        "mlp": replace(_PAPER, hidden=HIDDEN),
        "knn": _KNN,
        "weighted": replace(_PAPER, weighted=True),
        "attentive": replace(_PAPER, parts=PARTS),
    },
    "standard": {
        "linear": LbfgsConfig((100.0, 10.0, *(10 ** (-half / 2) for half in range(15)))),
        "mlp": AdamWConfig(
            HIDDEN, (1e-4, 3e-4, 1e-3, 3e-3), 0.01, {"clip": 64, "frame": 1024}, None, 20, 5, True
        ),
        "knn": _KNN,
        "weighted": replace(_JOINED, weighted=True),
        "attentive": replace(_JOINED, parts=PARTS),
    },
}


def probe_config(preset: str, kind: str) -> ProbeConfig:
    """The configuration of `preset` for a kind of probe.

    Raises:
        ConfigError: unknown preset or kind.
    """
    if preset not in PRESETS:
        raise ConfigError(f"unknown preset '{preset}'; {nearest(preset, PRESETS)}")
    if kind not in PRESETS[preset]:
        raise ConfigError(f"unknown probe '{kind}'; {nearest(kind, PRESETS[preset])}")
    return PRESETS[preset][kind]


@dataclass(frozen=True)
class Fit:
    """How a probe was trained.

    Attributes:
        weight_decay: of the loss (L-BFGS) or of AdamW.
        loss: mean loss on the validation split, of the weights that were kept.
        steps: number of steps of AdamW, or of evaluations of the loss on the training split.
        converged: whether the training ended by itself: at the optimum, or because the validation
            loss no longer improved.
        edge: whether the choice is the smallest or the largest value of its grid.
        learning_rate: NaN for L-BFGS.
        neighbours: k of nearest neighbours; 0 for other probes.
        layer_weights: of a weighted sum of layers, in their order; empty for other probes.
    """

    weight_decay: float
    loss: float
    steps: int
    converged: bool
    edge: bool
    learning_rate: float = nan
    neighbours: int = 0
    layer_weights: tuple[float, ...] = ()

    @property
    def setting(self) -> str:
        """What the probe has chosen or learned, as in the column `setting` of `scores.csv`."""
        if self.layer_weights:
            return "layers " + " ".join(f"{weight:.2f}" for weight in self.layer_weights)
        return f"k={self.neighbours}" if self.neighbours else ""


def at_edge(value: float, grid: Sequence[float]) -> bool:
    """Whether a choice is an end of its grid; a grid of one or two values has no inside."""
    return len(set(grid)) > 2 and value in (min(grid), max(grid))


class Fitted(Protocol):
    """What is scored: trained probes, or nearest neighbours.

    Attributes:
        fits: of each variant and seed.
    """

    fits: list[list[Fit]]

    @property
    def shape(self) -> tuple[int, int]:
        """(variants, seeds)."""
        ...

    def outputs(self, x: Tensor) -> Tensor:
        """(n, variants, dim) to logits or estimates, (variants, n, seeds, labels)."""
        ...


@dataclass(eq=False)
class Probes:
    """Trained probes of every variant and seed.

    Attributes:
        layers: weight (variants, seeds, inputs, outputs) and bias (variants, seeds, outputs) of
            each layer, in turn; before them what joins the members of a variant, as in `forward`.
        fits: of each variant, the same for all of its seeds but `loss`, `steps` and `converged`.
        scale: mean and inverse deviation of the inputs, (variants, dim) or scalars.
        target_scale: mean and deviation by which the targets of a regression were standardised;
            0 and 1 for classes.
    """

    layers: list[Tensor]
    fits: list[list[Fit]]
    scale: tuple[Tensor, Tensor]
    target_scale: tuple[Tensor, Tensor] = (torch.zeros(()), torch.ones(()))

    @property
    def shape(self) -> tuple[int, int]:
        """(variants, seeds)."""
        return self.layers[0].shape[0], self.layers[0].shape[1]

    def logits(self, x: Tensor) -> Tensor:
        """(n, variants, dim) to (variants, n, seeds, classes)."""
        return forward(self.layers, self.scale, x)

    def outputs(self, x: Tensor) -> Tensor:
        """Logits; in a regression estimates in the units of the targets. Shapes as `logits`."""
        mean, deviation = self.target_scale
        return self.logits(x) * deviation + mean


def forward(layers: Sequence[Tensor], scale: tuple[Tensor, Tensor], x: Tensor) -> Tensor:
    """Logits of probes.

    Args:
        layers: weight (variants, probes, inputs, outputs) and bias (variants, probes, outputs) of
            each layer, in turn. An odd number begins with what joins members: the logits of their
            weights (variants, probes, members), or a query (variants, probes, dim, 1).
        scale: mean and inverse deviation of the inputs.
        x: (n, variants, dim), or (n, variants * members, dim) for a weighted sum of members.

    Returns:
        (variants, n, probes, classes).
    """
    mean, inverse = scale
    scaled = ((x - mean) * inverse).transpose(0, 1).contiguous()  # (V, n, D)
    if len(layers) % 2:
        join, *layers = layers
        members = scaled.view(len(join), -1, *scaled.shape[1:])  # (V, M, n, D)
        if join.ndim == 3:
            mixed = torch.einsum("vmnd,vpm->vnpd", members, join.softmax(-1))
        else:
            heard = torch.einsum("vmnd,vpd->vnpm", members, join[..., 0]) * join.shape[2] ** -0.5
            mixed = torch.einsum("vmnd,vnpm->vnpd", members, heard.softmax(-1))
        out = torch.einsum("vnpd,vpdc->vnpc", mixed, layers[0]) + layers[1][:, None]
    else:
        out = torch.einsum("vnd,vpdc->vnpc", scaled, layers[0]) + layers[1][:, None]
    if len(layers) > 2:  # each probe p has its own hidden layer
        out = torch.einsum("vnpd,vpdc->vnpc", F.relu(out), layers[2]) + layers[3][:, None]
    return out


def input_scale(deviation: Tensor, mean: Tensor) -> Tensor:
    """Inverse deviations; a dimension that varies only by rounding errors is not scaled."""
    return torch.where(deviation > 1e-6 * mean.abs(), 1 / deviation, 1.0)
