"""Linear probes at the optimum of their convex problem: mean loss + decay / 2 * |weights|^2.

Inputs are standardised. The bias is not decayed. The loss is the cross-entropy of a multi-class
task; otherwise it is the sum over labels of the binary cross-entropy or of half the squared error.
The variants (layers x poolings) are independent problems. For each variant:

1. Weight decays are tried from the largest on. Each problem starts from the last solution. The
   search ends when `PATIENCE` more decays have not lowered the validation loss. It uses at most
   `LbfgsConfig.sample` examples of each split, drawn from all tracks.
2. The problem with the best weight decay is solved on all examples of the training split.

The result does not depend on a seed. The optimiser is the L-BFGS of SciPy (Byrd, Lu, Nocedal & Zhu,
*SIAM J. Scientific Computing* 16, 1995). Its variables are the weights along the principal axes of
the inputs, scaled by an estimate of the curvature: with an eigenvalue s of the inputs' correlation
matrix, a frequency p of the label and a decay d, the second derivative is about p (1 - p) s + d.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits as binary_loss
from tqdm import tqdm

from mirprobe.core.errors import ConfigError
from mirprobe.core.parallel import torch_threads
from mirprobe.core.schema import Loss
from mirprobe.probing.batches import Examples
from mirprobe.probing.probes import Fit, LbfgsConfig, Probes, at_edge, input_scale

PATIENCE = 3
MEMORY = 128 << 20  # bytes of inputs of one variant in memory; more are read in each evaluation
ROWS = 8192  # examples in one matrix product
_SEARCH, _FINAL = 1e-4, 1e-6  # an iteration that lowers the loss by less is the last
_ITERATIONS = 2000
_LEAST_CURVATURE = 1e-3

Blocks = Callable[[], Iterable[tuple[Tensor, Tensor]]]
"""Standardised inputs (n, dim) and their targets, in blocks, as often as it is called."""


def train_lbfgs(
    examples: Examples,
    valid: Examples,
    config: LbfgsConfig,
    *,
    loss: Loss,
    classes: int,
    device: str = "cpu",
    threads: int = 1,
    progress: str = "",
) -> Probes:
    """Train the probe of every variant.

    Args:
        examples: of the training split.
        valid: of the validation split; its loss decides which weight decay is kept.
        config: the weight decays.
        loss: of the task.
        classes: number of outputs.
        device: of the training.
        threads: variants that train at once; the result does not depend on it.
        progress: label of the progress bar; empty for none.

    Returns:
        Probes with one seed.

    Raises:
        ConfigError: no target of a split counts in the loss.
    """
    target_scale = torch.zeros(()), torch.ones(())
    if loss == "regression":
        target_scale = examples.target_scale()
        examples, valid = examples.scale_targets(target_scale), valid.scale_targets(target_scale)
    mean, deviation = examples.mean_and_deviation()
    inverse = input_scale(deviation, mean)
    rows, valid_rows = usable_rows(examples, loss), usable_rows(valid, loss)

    def train(variant: int) -> tuple[Tensor, Fit]:
        scale = mean[variant].to(device), inverse[variant].to(device)
        split = _Split(examples.only(variant), rows, scale, device)
        check = _Split(valid.only(variant), valid_rows, scale, device)
        return _train(split, check, config, loss, classes)

    variants = range(mean.shape[0])
    with torch_threads(1), ThreadPoolExecutor(threads) as pool:
        fits = pool.map(train, variants) if threads > 1 else map(train, variants)
        results = list(
            tqdm(fits, progress, len(variants), leave=False, disable=None if progress else True)
        )
    found = torch.stack([weights for weights, _ in results])[:, None].cpu()  # (V, 1, C, D + 1)
    layers = [found[..., :-1].transpose(2, 3).contiguous(), found[..., -1].contiguous()]
    return Probes(layers, [[fit] for _, fit in results], (mean, inverse), target_scale)


def usable_rows(examples: Examples, loss: Loss) -> NDArray[np.int64]:
    """Indices of the examples that count in the loss.

    Raises:
        ConfigError: there is none.
    """
    targets = np.concatenate(list(examples.targets))
    usable = np.flatnonzero(targets >= 0) if loss == "multiclass" else np.arange(len(targets))
    if not len(usable):
        raise ConfigError("no target of a split is in the label space of the task")
    return usable


@dataclass(frozen=True)
class _Split:
    """The examples of one variant that count in the loss.

    Attributes:
        examples: of one variant.
        rows: indices of the examples that count, increasing.
        scale: mean and inverse deviation of the inputs, (dim,).
        device: of the blocks.
    """

    examples: Examples
    rows: NDArray[np.int64]
    scale: tuple[Tensor, Tensor]
    device: str

    def read(self, rows: NDArray[np.int64]) -> Iterator[tuple[Tensor, Tensor]]:
        """Some examples, in order."""
        mean, inverse = self.scale
        first = 0
        for x, y in self.examples.in_order():
            low, high = np.searchsorted(rows, [first, first + len(y)])
            chosen = torch.from_numpy(rows[low:high] - first)
            first += len(y)
            if len(chosen):
                inputs = (x[chosen, 0].to(self.device) - mean) * inverse
                yield inputs, y[chosen].to(self.device)

    def held(self, rows: NDArray[np.int64]) -> Blocks:
        """Some examples in memory."""
        x, y = map(torch.cat, zip(*self.read(rows), strict=True))
        blocks = list(zip(torch.split(x, ROWS), torch.split(y, ROWS), strict=True))
        return lambda: blocks

    def sample(self, most: int) -> Blocks:
        """At most `most` examples from all tracks."""
        return self.held(np.sort(np.random.default_rng(0).permutation(self.rows)[:most]))

    def whole(self) -> Blocks:
        """All examples; they are read again and again if they are many."""
        if len(self.rows) * len(self.scale[0]) * 4 <= MEMORY:
            return self.held(self.rows)
        return lambda: self.read(self.rows)


def _train(
    split: _Split, valid: _Split, config: LbfgsConfig, loss: Loss, classes: int
) -> tuple[Tensor, Fit]:
    """Weights and biases of one variant, (classes, dim + 1), and how they were found."""
    sample, check = split.sample(config.sample), valid.sample(config.sample)
    decays = config.weight_decays
    axes = _Axes(sample, loss, classes)
    at = chosen = axes.start
    least, decay, since, steps = inf, decays[0], 0, 0
    for tried in decays:
        at, result = axes.solve(sample, tried, at, _SEARCH)
        steps += result.nfev
        found = float(_mean_loss(check, at, loss))
        if found < least - _SEARCH:
            least, decay, chosen, since = found, tried, at, 0
        else:
            since += 1
        if since == PATIENCE:
            break
    weights, result = axes.solve(
        sample if len(split.rows) <= config.sample else split.whole(), decay, chosen, _FINAL
    )
    least = float(_mean_loss(check, weights, loss))
    edge = at_edge(decay, decays)
    return weights, Fit(decay, least, steps + result.nfev, bool(result.success), edge)


class _Axes:
    """The principal axes of the inputs, and the solver that works along them.

    Attributes:
        start: zero weights, and the biases that give each label its frequency; (classes, dim + 1).
    """

    def __init__(self, sample: Blocks, loss: Loss, classes: int) -> None:
        self.loss = loss
        self.frequency = _frequency(sample, loss, classes)
        count = sum(len(y) for _, y in sample())
        self.eigenvalues, self.vectors = _principal_axes(sample, count)
        curvature = self.frequency * (1 - self.frequency)
        self.curvature = torch.ones_like(curvature) if loss == "regression" else curvature
        self.curvature = self.curvature.clamp_min(_LEAST_CURVATURE)
        bias = {
            "multiclass": self.frequency.log(),
            "multilabel": self.frequency.logit(),
            "regression": self.frequency,
        }[loss]
        weights = torch.zeros(classes, len(self.vectors), device=bias.device)
        self.start = torch.cat([weights, bias[:, None]], dim=1)

    def solve(
        self, blocks: Blocks, decay: float, start: Tensor, tolerance: float
    ) -> tuple[Tensor, Any]:
        """Weights and biases (classes, dim + 1) at the optimum.

        Args:
            blocks: examples.
            decay: weight decay.
            start: weights and biases to start from.
            tolerance: an iteration that lowers the loss by less is the last.
        """
        from scipy.optimize import minimize

        second = self.eigenvalues.clamp_min(0) * self.curvature[:, None] + decay
        scale = torch.cat([second, self.curvature[:, None]], dim=1).rsqrt()

        def rotated(values: Tensor, axes: Tensor) -> Tensor:
            return torch.cat([values[:, :-1] @ axes, values[:, -1:]], dim=1)

        def weights(variables: NDArray[np.float64]) -> Tensor:
            along = torch.from_numpy(variables).to(scale).view(scale.shape) * scale
            return rotated(along, self.vectors.T)

        def evaluate(variables: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            at = weights(variables)
            gradient = torch.zeros_like(at)
            value = _mean_loss(blocks, at, self.loss, gradient)
            value += decay / 2 * at[:, :-1].double().square().sum()
            gradient[:, :-1] += decay * at[:, :-1]
            along = rotated(gradient, self.vectors) * scale
            return float(value), along.double().flatten().cpu().numpy()

        along = rotated(start, self.vectors) / scale
        result = minimize(
            evaluate,
            along.double().flatten().cpu().numpy(),
            jac=True,
            method="L-BFGS-B",
            options={"ftol": tolerance, "gtol": 1e-7, "maxiter": _ITERATIONS, "maxfun": inf},
        )
        return weights(result.x), result


def _principal_axes(blocks: Blocks, count: int) -> tuple[Tensor, Tensor]:
    """Eigenvalues (axes,) and eigenvectors (dim, axes) of the correlation matrix of the inputs.

    With fewer examples than dimensions the axes are those that the inputs span: at the optimum the
    weights along all others are zero.
    """
    inputs = [x for x, _ in blocks()] if count < next(iter(blocks()))[0].shape[1] else []
    if not inputs:
        return tuple(torch.linalg.eigh(sum(x.T @ x for x, _ in blocks()) / count))
    x = torch.cat(inputs)
    eigenvalues, vectors = torch.linalg.eigh(x @ x.T / count)
    kept = eigenvalues > 1e-6 * eigenvalues[-1]
    axes = x.T @ vectors[:, kept] / (count * eigenvalues[kept]).sqrt()
    return eigenvalues[kept], axes


def _frequency(blocks: Blocks, loss: Loss, classes: int) -> Tensor:
    """Frequency of each label, never 0 or 1; in a regression the mean of the targets."""
    targets = torch.cat([y for _, y in blocks()])
    if loss == "regression":
        return targets.mean(0)
    if loss == "multiclass":
        counts = torch.bincount(targets, minlength=classes) + 0.5
        return counts / counts.sum()
    return (targets.sum(0) + 0.5) / (len(targets) + 1)


def _mean_loss(blocks: Blocks, at: Tensor, loss: Loss, gradient: Tensor | None = None) -> Tensor:
    """Mean loss over examples.

    Logits are (classes, n): with few classes this is several times as fast as (n, classes).

    Args:
        blocks: examples.
        at: weights and biases, (classes, dim + 1).
        loss: of the task.
        gradient: zeros like `at`, to which the gradient is added; None if it is not needed.
    """
    weights, bias = at[:, :-1].contiguous(), at[:, -1:]
    value, count = torch.zeros((), dtype=torch.float64, device=at.device), 0
    for x, y in blocks():
        logits = torch.addmm(bias, weights, x.T)
        if loss == "multiclass":
            logits = logits.log_softmax(0)
            value -= logits.gather(0, y[None]).sum(dtype=torch.float64)
            error = logits.exp_()
            error[y, torch.arange(len(y), device=y.device)] -= 1
        elif loss == "multilabel":
            value += binary_loss(logits, y.T, reduction="sum").double()
            error = logits.sigmoid_().sub_(y.T)
        else:
            error = logits.sub_(y.T)
            value += error.square().sum(dtype=torch.float64) / 2
        count += len(y)
        if gradient is not None:
            gradient[:, :-1] += error @ x
            gradient[:, -1] += error.sum(1)
    if gradient is not None:
        gradient /= count
    return value / count
