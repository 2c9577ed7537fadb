"""Probes that AdamW trains on minibatches: those of the paper, and those with a hidden layer.

All variants (layers x poolings), learning rates and seeds share every minibatch: one pass over the
examples trains the whole layer-by-pooling table.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count, pairwise
from math import inf

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from mirprobe.core.parallel import torch_threads
from mirprobe.core.schema import Level, Loss
from mirprobe.probing.batches import Examples
from mirprobe.probing.probes import AdamWConfig, Fit, Probes, at_edge, forward, input_scale


def train_adamw(
    examples: Examples,
    valid: Examples,
    config: AdamWConfig,
    *,
    level: Level,
    loss: Loss,
    classes: int,
    seeds: Sequence[int],
    device: str = "cpu",
    progress: str = "",
) -> Probes:
    """Train all probes of a cell, and keep the learning rate of the least validation loss.

    Args:
        examples: of the training split.
        valid: of the validation split; it decides which weights and which learning rate are kept.
        config: how to train.
        level: of the task.
        loss: of the task.
        classes: number of outputs.
        seeds: of the initial weights; the first seed also sets the order of the examples.
        device: of the training.
        progress: label of the progress bar; empty for none.
    """
    variants, dim = examples.frames[0].shape[1:]
    variants //= examples.members
    target_scale = torch.zeros(()), torch.ones(())
    if loss == "regression":
        target_scale = examples.target_scale()
        examples, valid = examples.scale_targets(target_scale), valid.scale_targets(target_scale)
    training = _Training(examples, config, (variants, dim, classes), seeds, loss, device)
    batch = min(config.batch[level], examples.count)
    every = max(config.check_every or 0, -(-examples.count // batch))
    stale, converged = 0, False
    rng = np.random.default_rng(seeds[0])
    with torch_threads(1):  # the sums, and so the results, would depend on the number of threads
        batches = _forever(examples, batch, rng)
        steps = tqdm(
            count(1), progress, config.max_steps, leave=False, disable=None if progress else True
        )
        for step, (x, y) in zip(steps, batches, strict=False):
            training.step(x.to(device), y.to(device))
            last = step == config.max_steps
            if last or (config.check_every is not None and step % every == 0):
                better = training.keep_best(valid, every_probe=config.check_every is None)
                stale = 0 if better else stale + 1
                converged = config.check_every is not None and stale > config.patience
                if last or converged:
                    break
        steps.close()
    return training.chosen(step, converged, target_scale)


class _Training:
    """The state of `train_adamw`: probes of every learning rate and seed, (variants, probes)."""

    def __init__(
        self,
        examples: Examples,
        config: AdamWConfig,
        shape: tuple[int, int, int],
        seeds: Sequence[int],
        loss: Loss,
        device: str,
    ) -> None:
        self.config, self.loss, self.device = config, loss, device
        self.probes = [(rate, seed) for rate in config.learning_rates for seed in range(len(seeds))]
        scale = torch.zeros(()), torch.ones(())
        if config.standardise:
            mean, deviation = examples.mean_and_deviation()
            if config.parts:  # all parts of a track have one scale
                mean, deviation = _over_parts(mean, deviation, config.parts)
            scale = mean, input_scale(deviation, mean)
        self.scale = scale[0].to(device), scale[1].to(device)
        # parameters of one learning rate each, (variants, seeds, ...)
        self.rates = [
            [
                part.to(device).requires_grad_()
                for part in (
                    *_join(config, (shape[0], len(seeds)), examples.members, shape[1]),
                    *_initial(shape, seeds, config.hidden),
                )
            ]
            for _ in config.learning_rates
        ]
        self.optimiser = torch.optim.AdamW(
            [
                {"params": layers, "lr": rate}
                for rate, layers in zip(config.learning_rates, self.rates, strict=True)
            ],
            weight_decay=config.weight_decay,
            fused=True,
        )
        self.kept = [layer.detach().clone() for layer in self._layers()]
        self.losses = torch.full((shape[0], len(self.probes)), inf, device=device)

    def _layers(self) -> list[Tensor]:
        """Of all learning rates: (variants, probes, ...)."""
        return [torch.cat(own, dim=1) for own in zip(*self.rates, strict=True)]

    def step(self, x: Tensor, y: Tensor) -> None:
        """One step of all probes."""
        self.optimiser.zero_grad(set_to_none=True)
        each = losses(forward(self._layers(), self.scale, x), y, self.loss)
        # probes share no weights: the gradient of the sum is the gradient of each probe
        total = each.sum() / _counted(y, self.loss).clamp_min(1)
        total.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()

    @torch.no_grad()
    def keep_best(self, valid: Examples, *, every_probe: bool) -> bool:
        """Keep the weights of each probe whose validation loss improved, or of every probe.

        Returns:
            Whether any probe improved.
        """
        layers = self._layers()
        found = torch.zeros_like(self.losses)
        counted = torch.zeros((), device=self.device)
        for x, y in valid.in_order():
            x, y = x.to(self.device), y.to(self.device)
            found += losses(forward(layers, self.scale, x), y, self.loss)
            counted += _counted(y, self.loss)
        found /= counted.clamp_min(1)
        better = (found < self.losses) | every_probe  # (V, P)
        self.losses = torch.where(better, found, self.losses)
        for best, now in zip(self.kept, layers, strict=True):
            chosen = better.view(*better.shape, *[1] * (now.ndim - 2))
            best.copy_(torch.where(chosen, now, best))
        return bool(better.any())

    def chosen(self, steps: int, converged: bool, target_scale: tuple[Tensor, Tensor]) -> Probes:
        """The probes of the learning rate that is best for each variant, on average over seeds."""
        grid = self.config.learning_rates
        by_rate = self.losses.cpu().view(len(self.losses), len(grid), -1)  # (V, R, S)
        best = by_rate.mean(2).argmin(1)  # (V,)
        rows = torch.arange(len(best))
        layers = [
            layer.cpu().view(-1, *by_rate.shape[1:], *layer.shape[2:])[rows, best].contiguous()
            for layer in self.kept
        ]
        fits = [
            [
                Fit(self.config.weight_decay, found, steps, converged, at_edge(grid[rate], grid))
                for found in by_rate[variant, rate].tolist()
            ]
            for variant, rate in enumerate(best.tolist())
        ]
        for variant, rate in enumerate(best.tolist()):
            fits[variant] = [replace(fit, learning_rate=grid[rate]) for fit in fits[variant]]
            if self.config.weighted:
                mixes = layers[0][variant].softmax(-1).tolist()
                fits[variant] = [
                    replace(fit, layer_weights=tuple(mix))
                    for fit, mix in zip(fits[variant], mixes, strict=True)
                ]
        scale = self.scale[0].cpu(), self.scale[1].cpu()
        return Probes(layers, fits, scale, target_scale)


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
        parameters.append(weight.repeat(variants, 1, 1, 1))
        parameters.append(torch.zeros(variants, len(seeds), outputs))
    return parameters


def _join(
    config: AdamWConfig, shape: tuple[int, int], members: int, dim: int
) -> tuple[Tensor, ...]:
    """What joins members, as in `forward`; it begins with equal weights."""
    if config.weighted:
        return (torch.zeros(*shape, members),)
    return (torch.zeros(*shape, dim, 1),) if config.parts else ()


def _over_parts(mean: Tensor, deviation: Tensor, parts: int) -> tuple[Tensor, Tensor]:
    """Mean and deviation over all parts, for each of them: (variants * parts, dim)."""
    means, square = (own.view(-1, parts, own.shape[1]) for own in (mean, deviation.square()))
    variance = square.mean(1) + means.var(1, correction=0)
    both = means.mean(1), variance.sqrt()
    return both[0].repeat_interleave(parts, 0), both[1].repeat_interleave(parts, 0)


def losses(logits: Tensor, targets: Tensor, loss: Loss) -> Tensor:
    """Summed loss of each probe over the examples.

    Args:
        logits: (variants, n, probes, classes).
        targets: (n,) class indices, -1 to ignore, or (n, classes) relevances or standardised
            numbers.
        loss: `multiclass` (cross-entropy), `multilabel` (binary cross-entropy, mean over labels) or
            `regression` (squared error, mean over labels).

    Returns:
        (variants, probes).
    """
    if loss == "multiclass":
        wanted = targets[None, :, None].expand(logits.shape[:-1])
        each = F.cross_entropy(
            logits.flatten(0, -2), wanted.flatten(), ignore_index=-1, reduction="none"
        ).view(wanted.shape)
    else:
        wanted = targets[None, :, None].expand_as(logits)
        if loss == "regression":
            each = F.mse_loss(logits, wanted, reduction="none").mean(-1)
        else:
            each = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none").mean(-1)
    return each.sum(1)


def _counted(targets: Tensor, loss: Loss) -> Tensor:
    """Number of examples that count in the loss."""
    return (targets >= 0).sum() if loss == "multiclass" else torch.tensor(len(targets))


def _forever(
    examples: Examples, batch: int, rng: np.random.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    while True:
        yield from examples.batches(batch, rng)
