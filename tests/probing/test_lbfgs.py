"""Probes at the optimum: against scikit-learn, and against the same problem in parts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.in_memory import InMemory
from sklearn.linear_model import LogisticRegression, Ridge

from mirprobe.core.errors import ConfigError
from mirprobe.core.schema import Floating, Loss
from mirprobe.probing import lbfgs as module
from mirprobe.probing.batches import Examples
from mirprobe.probing.lbfgs import train_lbfgs
from mirprobe.probing.probes import LbfgsConfig, Probes

CLASSES = 4


def draw(seed: int, dim: int, loss: Loss, tracks: int = 40, rows: int = 6) -> Examples:
    """Correlated inputs on different scales, two variants, and labels that follow them noisily."""
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(2, dim, dim)) / np.arange(1, dim + 1)[:, None]
    true = rng.normal(size=(dim, CLASSES))
    rng = np.random.default_rng(seed)
    frames, targets = [], []
    for _ in range(tracks):
        hidden = rng.normal(size=(rows, dim))
        x = np.einsum("nd,vde->nve", hidden, mix) * np.geomspace(1e-2, 1e2, dim) + 3
        scores = hidden @ true / dim**0.5 + rng.normal(size=(rows, CLASSES))
        if loss == "multiclass":
            y = scores.argmax(1)
            y[rng.random(rows) < 0.1] = -1
        else:
            y = (scores > 0.5 if loss == "multilabel" else scores).astype(np.float32)
        frames.append(InMemory(x.astype(np.float32)))
        targets.append(y)
    return Examples(frames, targets)


def train(
    dim: int, loss: Loss, decays: tuple[float, ...], threads: int = 1, sample: int = 32_768
) -> Probes:
    train_split, valid = draw(1, dim, loss), draw(2, dim, loss)
    config = LbfgsConfig(decays, sample)
    return train_lbfgs(train_split, valid, config, loss=loss, classes=CLASSES, threads=threads)


def arrays(examples: Examples, variant: int) -> tuple[Floating, Floating]:
    x = np.concatenate([own.read()[:, variant] for own in examples.frames]).astype(np.float64)
    return x, np.concatenate(list(examples.targets))


@pytest.mark.parametrize("dim", [3, 40, 300])  # fewer and more dimensions than examples
@pytest.mark.parametrize("decay", [1.0, 1e-2, 1e-4])
def test_the_optimum_is_that_of_scikit_learn(dim: int, decay: float) -> None:
    probes = train(dim, "multiclass", (decay,))
    for variant in range(2):
        x, y = arrays(draw(1, dim, "multiclass"), variant)
        valid, labels = arrays(draw(2, dim, "multiclass"), variant)
        mean, deviation = x.mean(0), x.std(0)
        kept = y >= 0
        model = LogisticRegression(C=1 / (decay * kept.sum()), max_iter=20_000, tol=1e-8)
        model.fit(((x - mean) / deviation)[kept], y[kept])
        wanted = model.decision_function((valid - mean) / deviation)
        with torch.no_grad():
            rows = torch.from_numpy(np.stack([valid] * 2, axis=1)).float()
            found = probes.logits(rows)[variant, :, 0].numpy()
        centred = found - found.mean(1, keepdims=True)  # a shared offset is not determined
        assert np.abs(centred - wanted).max() < 0.02 * np.abs(wanted).max()
        scored = [(own.argmax(1) == labels)[labels >= 0].mean() for own in (found, wanted)]
        assert abs(scored[0] - scored[1]) < 0.005
        (fit,) = probes.fits[variant]
        assert fit.converged
        log_loss = -torch.from_numpy(wanted).log_softmax(1).numpy()
        used = labels >= 0
        assert fit.loss == pytest.approx(log_loss[used, labels[used]].mean(), rel=5e-3)


def test_each_label_is_a_problem_of_its_own() -> None:
    probes = train(5, "multilabel", (1e-2,))
    x, y = arrays(draw(1, 5, "multilabel"), 0)
    scaled = (x - x.mean(0)) / x.std(0)
    for label in range(CLASSES):
        model = LogisticRegression(C=1 / (1e-2 * len(y)), max_iter=20_000, tol=1e-8)
        model.fit(scaled, y[:, label])
        np.testing.assert_allclose(probes.layers[0][0, 0, :, label], model.coef_[0], atol=5e-3)
        np.testing.assert_allclose(probes.layers[1][0, 0, label], model.intercept_[0], atol=5e-3)


def test_a_regression_is_ridge_regression() -> None:
    probes = train(5, "regression", (1e-2,))
    x, y = arrays(draw(1, 5, "regression"), 1)
    scaled = (x - x.mean(0)) / x.std(0)
    model = Ridge(alpha=1e-2 * len(y)).fit(scaled, (y - y.mean(0)) / y.std(0))
    np.testing.assert_allclose(probes.layers[0][1, 0], model.coef_.T, atol=2e-3)


def test_the_validation_loss_chooses_the_decay() -> None:
    decays = (1e3, 10.0, 1.0, 0.1, 1e-2, 1e-3, 1e-4, 1e-5)
    chosen = train(60, "multiclass", decays)
    alone = {decay: train(60, "multiclass", (decay,)) for decay in decays}
    for variant, (fit,) in enumerate(chosen.fits):
        losses = {decay: one.fits[variant][0].loss for decay, one in alone.items()}
        best = min(losses, key=losses.__getitem__)
        assert fit.loss < losses[best] + 2e-3
        assert fit.weight_decay in [d for d in decays if losses[d] < losses[best] + 2e-3]
        assert not fit.edge
        # the search ends soon after the best one, before the smallest decays
        assert fit.steps < sum(one.fits[variant][0].steps for one in alone.values())


@pytest.mark.parametrize("loss", ["multiclass", "multilabel", "regression"])
def test_parts_and_threads_change_no_optimum(loss: Loss, monkeypatch: pytest.MonkeyPatch) -> None:
    """More examples than are sampled, read again and again: the optimum of all examples."""
    decays = (1.0, 0.1, 1e-2)
    whole = train(8, loss, decays)
    two = train(8, loss, decays, threads=2)
    assert [a.equal(b) for a, b in zip(whole.layers, two.layers, strict=True)] == [True, True]
    assert two.fits == whole.fits
    for memory in (1 << 20, 0):
        monkeypatch.setattr(module, "MEMORY", memory)
        parts = train(8, loss, decays, sample=100)
        for variant in range(2):
            decay = parts.fits[variant][0].weight_decay
            same = train(8, loss, (decay,))
            for mine, its in zip(parts.layers, same.layers, strict=True):
                torch.testing.assert_close(mine[variant], its[variant], atol=0.02, rtol=0)


def test_a_coarse_search_has_fewer_decays_and_examples_and_the_optimum_of_all() -> None:
    coarse = LbfgsConfig((1.0, 0.1, 1e-2), 400).coarse()
    assert coarse == LbfgsConfig((1.0, 1e-2), 100)
    found = train(8, "multiclass", coarse.weight_decays, sample=coarse.sample)
    for variant, [fit] in enumerate(found.fits):
        same = train(8, "multiclass", (fit.weight_decay,))
        for mine, its in zip(found.layers, same.layers, strict=True):
            torch.testing.assert_close(mine[variant], its[variant], atol=0.02, rtol=0)


def test_targets_outside_the_label_space_are_refused() -> None:
    examples = draw(1, 3, "multiclass")
    ignored = replace(examples, targets=[np.full(len(own), -1) for own in examples.targets])
    config = LbfgsConfig((1.0,))
    for pair in ((ignored, examples), (examples, ignored)):
        with pytest.raises(ConfigError, match="no target of a split is in the label space"):
            train_lbfgs(*pair, config, loss="multiclass", classes=CLASSES)
