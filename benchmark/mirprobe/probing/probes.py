"""Linear and one-hidden-layer probes; all probes of a cell train together.

Variants (layers x sources), learning rates, seeds and the label-shuffled control share every
minibatch: one pass over the examples trains the whole layer-by-source table.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import inf
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from mirprobe.api.specs import nearest
from mirprobe.core.errors import ConfigError
from mirprobe.core.parallel import torch_threads
from mirprobe.core.schema import Level, Loss
from mirprobe.probing.batches import Examples

Kind = Literal["linear", "mlp"]

HIDDEN = 256
_ONE_THREAD_FLOPS = 4e9  # a step below this is faster on one thread


@dataclass(frozen=True)
class ProbeConfig:
    """How probes are trained.

    Attributes:
        hidden: units of the hidden layer, None for a linear probe.
        learning_rates: the grid that validation chooses from.
        weight_decay: of AdamW.
        batch: examples a step, by level of the task.
        max_steps: the largest number of steps.
        check_every: least number of steps between two checks of the validation loss; it is never
            less than one pass over the training split. None: no early stopping, the last weights
            are kept.
        patience: checks without improvement of any probe before training ends.
        standardise: scale every dimension to zero mean and unit variance over the training split.
    """

    hidden: int | None
    learning_rates: tuple[float, ...]
    weight_decay: float
    batch: dict[Level, int]
    max_steps: int
    check_every: int | None
    patience: int
    standardise: bool


PRESETS = {
    # PAPERS: one linear layer, AdamW 1e-3, 50 epochs of 128 steps of 128, no search
    "paper": ProbeConfig(None, (1e-3,), 0.01, {"clip": 128, "frame": 128}, 6400, None, 0, False),
    "standard": ProbeConfig(
        None, (3e-4, 1e-3, 3e-3), 0.01, {"clip": 64, "frame": 1024}, 2000, 20, 5, True
    ),
}


def probe_config(preset: str, kind: str) -> ProbeConfig:
    """The configuration of `preset` for a `linear` or `mlp` probe.

    Raises:
        ConfigError: unknown preset or kind.
    """
    if preset not in PRESETS:
        raise ConfigError(f"unknown preset '{preset}'; {nearest(preset, PRESETS)}")
    if kind not in ("linear", "mlp"):
        raise ConfigError(f"unknown probe '{kind}'; {nearest(kind, ('linear', 'mlp'))}")
    return replace(PRESETS[preset], hidden=None if kind == "linear" else HIDDEN)


@dataclass(frozen=True)
class Group:
    """Probes that share a learning rate and are trained on true or on shuffled labels."""

    learning_rate: float
    shuffled: bool = False


def groups(config: ProbeConfig) -> list[Group]:
    """One group for each learning rate, and one on shuffled labels with the middle rate."""
    rates = config.learning_rates
    return [*map(Group, rates), Group(rates[len(rates) // 2], shuffled=True)]


class Probes:
    """Trained probes of every group, variant and seed.

    Attributes:
        groups: learning rate of each group, and whether its labels are shuffled.
        columns: index of each group's targets among those of the examples, 1 if shuffled.
        seeds: of the initial weights.
        target_scale: mean and deviation by which the targets of a regression were standardised;
            0 and 1 for classes.
        validation_loss: (variants, groups, seeds), of the weights that were kept.
        steps: number of training steps.
    """

    def __init__(
        self,
        group_list: Sequence[Group],
        shape: tuple[int, int, int],
        seeds: Sequence[int],
        hidden: int | None,
        scale: tuple[Tensor, Tensor],
        target_scale: tuple[Tensor, Tensor] = (torch.zeros(()), torch.ones(())),
    ) -> None:
        self.groups = list(group_list)
        self.columns = [int(group.shuffled) for group in self.groups]
        self.seeds = tuple(seeds)
        self.mean, self.inverse = scale
        self.target_scale = target_scale
        self.parameters = [_initial(shape, seeds, hidden) for _ in self.groups]
        self.validation_loss = torch.full((shape[0], len(self.groups), len(self.seeds)), inf)
        self.steps = 0

    def logits(self, x: Tensor) -> Tensor:
        """(n, variants, dim) to (variants, n, groups, seeds, classes)."""
        scaled = ((x - self.mean) * self.inverse).transpose(0, 1).contiguous()  # (V, n, D)
        layers = [torch.cat(own, dim=1) for own in zip(*self.parameters, strict=True)]
        out = torch.einsum("vnd,vpdc->vnpc", scaled, layers[0]) + layers[1][:, None]
        if len(layers) > 2:  # each probe p has its own hidden layer
            out = torch.einsum("vnpd,vpdc->vnpc", F.relu(out), layers[2]) + layers[3][:, None]
        return out.view(*out.shape[:2], len(self.groups), len(self.seeds), -1)

    def outputs(self, x: Tensor) -> Tensor:
        """Logits; in a regression estimates in the units of the targets. Shapes as `logits`."""
        mean, deviation = self.target_scale
        return self.logits(x) * deviation + mean


def _initial(shape: tuple[int, int, int], seeds: Sequence[int], hidden: int | None) -> list[Tensor]:
    """Weight (variants, seeds, inputs, outputs) and bias (variants, seeds, outputs) of each layer.

    Uniform in +-1/sqrt(inputs) like torch.nn.Linear, the same for all variants of a seed.
    """
    variants, dim, classes = shape
    sizes = (dim, classes) if hidden is None else (dim, hidden, classes)
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    parameters = []
    for inputs, outputs in pairwise(sizes):
        bound = inputs**-0.5
        weight = torch.stack(
            [torch.empty(inputs, outputs).uniform_(-bound, bound, generator=g) for g in generators]
        )
        parameters.append(weight.repeat(variants, 1, 1, 1).requires_grad_())
        parameters.append(torch.zeros(variants, len(seeds), outputs, requires_grad=True))
    return parameters


def losses(logits: Tensor, targets: Tensor, loss: Loss) -> Tensor:
    """Summed loss of each probe over the examples.

    Args:
        logits: (variants, n, groups, seeds, classes).
        targets: of each group, (n, groups) class indices, -1 to ignore, or (n, groups, classes)
            relevances or standardised numbers.
        loss: `multiclass` (cross-entropy), `multilabel` (binary cross-entropy, mean over labels) or
            `regression` (squared error, mean over labels).

    Returns:
        (variants, groups, seeds).
    """
    if loss == "multiclass":
        wanted = targets[None, :, :, None].expand(logits.shape[:-1])
        each = F.cross_entropy(
            logits.flatten(0, -2), wanted.flatten(), ignore_index=-1, reduction="none"
        ).view(wanted.shape)
    else:
        wanted = targets[None, :, :, None].expand_as(logits)
        if loss == "regression":
            each = F.mse_loss(logits, wanted, reduction="none").mean(-1)
        else:
            each = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none").mean(-1)
    return each.sum(1)


def _counted(targets: Tensor, loss: Loss) -> Tensor:
    """Number of examples that count in the loss, (groups,)."""
    if loss == "multiclass":
        return (targets >= 0).sum(0)
    return torch.full(targets.shape[1:2], len(targets))


def train(
    examples: Examples,
    valid: Examples,
    *,
    config: ProbeConfig,
    level: Level,
    loss: Loss,
    classes: int,
    seeds: Sequence[int],
    progress: str = "",
) -> Probes:
    """Train all probes of a cell.

    Args:
        examples: of the training split.
        valid: of the validation split; it only decides which weights of each probe are kept.
        config: how to train.
        level: of the task.
        loss: of the task.
        classes: number of outputs.
        seeds: of the initial weights; the first seed also sets the order of the examples.
        progress: label of the progress bar.
    """
    variants, dim = examples.frames[0].shape[1:]
    scale = torch.zeros(()), torch.ones(())
    if loss == "regression":
        scale = examples.target_scale()
        examples, valid = examples.scale_targets(scale), valid.scale_targets(scale)
    probes = Probes(
        groups(config),
        (variants, dim, classes),
        seeds,
        config.hidden,
        _input_scale(examples, config.standardise),
        scale,
    )
    batch = min(config.batch[level], examples.count)
    optimiser = torch.optim.AdamW(
        [
            {"params": parameters, "lr": group.learning_rate}
            for group, parameters in zip(probes.groups, probes.parameters, strict=True)
        ],
        weight_decay=config.weight_decay,
        fused=True,
    )
    work = 6 * batch * variants * dim * (config.hidden or classes) * len(seeds) * len(probes.groups)
    kept = [[tensor.detach().clone() for tensor in tensors] for tensors in probes.parameters]
    every = config.max_steps
    if config.check_every is not None:
        every = max(config.check_every, -(-examples.count // batch))
    stale = 0
    rng = np.random.default_rng(seeds[0])
    with torch_threads(1 if work < _ONE_THREAD_FLOPS else None):
        steps = tqdm(
            _forever(examples, batch, rng), progress, config.max_steps, leave=False, disable=None
        )
        for x, y in steps:
            _step(probes, optimiser, x, y, loss)
            probes.steps += 1
            if probes.steps % every == 0 or probes.steps == config.max_steps:
                better = _keep_best(probes, kept, valid, loss, last=config.check_every is None)
                stale = 0 if better else stale + 1
                if stale > config.patience or probes.steps == config.max_steps:
                    break
        steps.close()
    probes.parameters = kept
    return probes


def _input_scale(examples: Examples, standardise: bool) -> tuple[Tensor, Tensor]:
    if not standardise:
        return torch.zeros(()), torch.ones(())
    mean, deviation = examples.mean_and_deviation()
    # a dimension that varies only by rounding errors is centred and not scaled
    return mean, torch.where(deviation > 1e-6 * mean.abs(), 1 / deviation, 1.0)


def _forever(
    examples: Examples, batch: int, rng: np.random.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    while True:
        yield from examples.batches(batch, rng)


def _step(
    probes: Probes, optimiser: torch.optim.Optimizer, x: Tensor, y: Tensor, loss: Loss
) -> None:
    optimiser.zero_grad(set_to_none=True)
    targets = y[:, probes.columns]
    each = losses(probes.logits(x), targets, loss)  # (V, G, S)
    # probes share no weights: the gradient of the sum is the gradient of each probe
    total = (each / _counted(targets, loss).clamp_min(1)[:, None]).sum()
    total.backward()  # type: ignore[no-untyped-call]
    optimiser.step()


@torch.no_grad()
def _keep_best(
    probes: Probes, kept: list[list[Tensor]], valid: Examples, loss: Loss, *, last: bool
) -> bool:
    """Keep the weights of each probe whose validation loss improved; with `last` of all probes.

    Returns:
        Whether any probe improved.
    """
    found = torch.zeros_like(probes.validation_loss)
    count = torch.zeros(len(probes.groups))
    for x, y in valid.in_order():
        targets = y[:, probes.columns]
        found += losses(probes.logits(x), targets, loss)
        count += _counted(targets, loss)
    found /= count.clamp_min(1)[:, None]
    better = (found < probes.validation_loss) | last  # (V, G, S)
    probes.validation_loss = torch.where(better, found, probes.validation_loss)
    for group, tensors in enumerate(probes.parameters):
        for best, now in zip(kept[group], tensors, strict=True):
            chosen = better[:, group].view(*better[:, group].shape, *[1] * (now.ndim - 2))
            best.copy_(torch.where(chosen, now, best))
    return bool(better.any())
