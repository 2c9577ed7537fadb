"""Probes beside scikit-learn's and beside the arithmetic of their steps: `make bench`.

On one core: (1) all variants of a clip task, with their search over weight decays, beside the
logistic regressions of scikit-learn, one after the other: one fit a variant, with the decay that
our search chose, and one fit for each decay of the grid. The accuracy must be as good. (2) The
evaluations of one variant of a frame task, beside the two matrix products that an evaluation needs
at least. Prints ratios.
"""

from __future__ import annotations

import warnings
from time import thread_time

import numpy as np
import torch
from helpers.in_memory import InMemory
from sklearn.linear_model import LogisticRegression

from mirprobe.core.parallel import torch_threads
from mirprobe.probing.batches import Examples
from mirprobe.probing.lbfgs import train_lbfgs
from mirprobe.probing.probes import LbfgsConfig, probe_config

CLIPS, VARIANTS, DIM, CLASSES = 2310, 36, 192, 9
FRAMES, CHORDS = 30_000, 25
NOISE = 0.1  # leaves about 95 % of the labels to be found
GRIDS = 3  # variants for which scikit-learn fits the whole grid
LEAST, MOST = 3.0, 2.0


def draw(rng: np.random.Generator, n: int, mix: np.ndarray, true: np.ndarray) -> Examples:
    """Correlated inputs with a decaying spectrum, and noisy labels."""
    hidden = rng.normal(size=(n, DIM)).astype(np.float32)
    x = np.einsum("nd,vde->nve", hidden, mix)
    scores = hidden @ true + NOISE * rng.normal(size=(n, true.shape[1]))
    return Examples([InMemory(x.astype(np.float32))], [scores.argmax(1)])


def problem(n: int, variants: int, classes: int) -> tuple[Examples, Examples]:
    """Training and validation split."""
    rng = np.random.default_rng(0)
    spectrum = np.arange(1, DIM + 1)[:, None] ** -1.2
    mix = (rng.normal(size=(variants, DIM, DIM)) * spectrum).astype(np.float32)
    true = (rng.normal(size=(DIM, classes)) * spectrum).astype(np.float32)
    return draw(rng, n, mix, true), draw(rng, n // 2, mix, true)


def accuracy(logits: np.ndarray, y: np.ndarray) -> float:
    """Share of the examples with the right class."""
    return float((logits.argmax(-1) == y).mean())


def clips() -> bool:
    """Whether the probes of a clip task are fast enough and as good."""
    train, valid = problem(CLIPS, VARIANTS, CLASSES)
    config = probe_config("standard", "linear")
    assert isinstance(config, LbfgsConfig)
    begun = thread_time()
    probes = train_lbfgs(train, valid, config, loss="multiclass", classes=CLASSES)
    ours = thread_time() - begun
    x, y = train.frames[0].read(), train.targets[0]
    check, labels = valid.frames[0].read(), valid.targets[0]
    with torch.no_grad():
        found = probes.logits(torch.from_numpy(check)).numpy()[:, :, 0]
    own, its, theirs, grid = [], [], 0.0, 0.0
    for variant in range(VARIANTS):
        mean, deviation = x[:, variant].mean(0), x[:, variant].std(0)
        chosen = probes.fits[variant][0].weight_decay
        scaled = (x[:, variant] - mean) / deviation
        for decay in config.weight_decays if variant < GRIDS else (chosen,):
            begun = thread_time()
            fitted = LogisticRegression(C=1 / (decay * CLIPS), max_iter=5000).fit(scaled, y)
            took = thread_time() - begun
            grid += took if variant < GRIDS else 0
            if decay == chosen:
                theirs, model = theirs + took, fitted
        own.append(accuracy(found[variant], labels))
        its.append(model.score((check[:, variant] - mean) / deviation, labels))
    ratio = grid / GRIDS / ours * VARIANTS
    print(
        f"clips, {CLIPS} x {VARIANTS} variants x {DIM}: {1e3 * ours / VARIANTS:.0f} ms a variant "
        f"with its search; scikit-learn / ours: one fit {theirs / ours:.2f}, the grid {ratio:.1f} "
        f"(at least {LEAST:.0f}); accuracy {np.mean(own):.3f}, scikit-learn {np.mean(its):.3f}"
    )
    return ratio >= LEAST and float(np.mean(own)) >= float(np.mean(its)) - 0.005


def frames() -> bool:
    """Whether the evaluations of a frame task cost little more than their matrix products."""
    train, valid = problem(FRAMES, 1, CHORDS)
    config = LbfgsConfig((1e-2, 1e-3, 1e-4, 1e-5))
    begun = thread_time()
    (fit,) = train_lbfgs(train, valid, config, loss="multiclass", classes=CHORDS).fits[0]
    ours = (thread_time() - begun) / fit.steps
    x = torch.from_numpy(train.frames[0].read()[:, 0])
    weights = torch.randn(DIM, CHORDS)
    begun, rounds = thread_time(), 20
    for _ in range(rounds):
        x.T @ (x @ weights)
    least = (thread_time() - begun) / rounds
    print(
        f"frames, {FRAMES} x {DIM}: {1e3 * ours:.1f} ms an evaluation, over its two matrix "
        f"products {ours / least:.2f} (at most {MOST:.0f})"
    )
    return ours / least <= MOST


def main() -> None:
    """Measure and print."""
    warnings.simplefilter("ignore", FutureWarning)
    with torch_threads(1):
        good = [clips(), frames()]
    if not all(good):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
