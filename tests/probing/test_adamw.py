from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers.in_memory import InMemory
from torch import Tensor, nn

from mirprobe.core.errors import ConfigError
from mirprobe.core.schema import Loss
from mirprobe.probing.adamw import losses, train_adamw
from mirprobe.probing.batches import Examples
from mirprobe.probing.probes import (
    HIDDEN,
    PRESETS,
    AdamWConfig,
    LbfgsConfig,
    Probes,
    probe_config,
)

VARIANTS, DIM, CLASSES = 2, 6, 3
SEEDS = (5, 11)
CONFIG = AdamWConfig(None, (1e-2, 3e-2), 0.1, {"clip": 16, "frame": 8}, 23, None, 0, False)


def split(seed: int, loss: Loss = "multiclass", tracks: int = 12, rows: int = 5) -> Examples:
    """Random frames; what they are is written in their first dimensions, and a little noise."""
    rng = np.random.default_rng(seed)
    frames, targets = [], []
    for _ in range(tracks):
        x = rng.normal(size=(rows, VARIANTS, DIM)).astype(np.float32)
        if loss == "multiclass":
            y = x[:, 0, :CLASSES].argmax(axis=1)
            y[rng.random(rows) < 0.1] = -1
        elif loss == "regression":
            y = x[:, 0, :CLASSES]
        else:
            y = (x[:, 0, :CLASSES] > 0.3).astype(np.float32)
        frames.append(InMemory(x))
        targets.append(y)
    return Examples(frames, targets)


def fit(config: AdamWConfig, loss: Loss = "multiclass") -> Probes:
    return train_adamw(
        split(0, loss),
        split(1, loss),
        config,
        level="frame",
        loss=loss,
        classes=CLASSES,
        seeds=SEEDS,
    )


def one_loss(logits: Tensor, y: Tensor, loss: Loss) -> Tensor:
    if loss == "multiclass":
        return F.cross_entropy(logits, y, ignore_index=-1)
    if loss == "regression":
        return F.mse_loss(logits, y)
    return F.binary_cross_entropy_with_logits(logits, y)


class Alone:
    """One probe as anybody would train it, on the minibatches that `train` draws."""

    def __init__(
        self, config: AdamWConfig, loss: Loss, rate: float, variant: int, seed: int
    ) -> None:
        self.loss, self.variant = loss, variant
        sizes = [DIM, CLASSES] if config.hidden is None else [DIM, config.hidden, CLASSES]
        generator = torch.Generator().manual_seed(seed)
        self.layers = [nn.Linear(a, b) for a, b in pairwise(sizes)]
        for layer in self.layers:
            bound = layer.in_features**-0.5
            start = torch.empty(layer.in_features, layer.out_features)
            layer.weight.data = start.uniform_(-bound, bound, generator=generator).T.contiguous()
            layer.bias.data.zero_()
        middle = [nn.ReLU()] if config.hidden else []
        self.model = nn.Sequential(self.layers[0], *middle, *self.layers[1:])
        self.optimiser = torch.optim.AdamW(
            self.model.parameters(), lr=rate, weight_decay=config.weight_decay
        )

    def step(self, x: Tensor, y: Tensor) -> None:
        self.optimiser.zero_grad()
        logits = self.model(x[:, self.variant])
        one_loss(logits, y, self.loss).backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()

    def validation(self, valid: Examples) -> float:
        x = torch.cat([x for x, _ in valid.in_order()])[:, self.variant]
        y = torch.cat([y for _, y in valid.in_order()])
        with torch.no_grad():
            return float(one_loss(self.model(x), y, self.loss))

    def weights(self) -> list[Tensor]:
        """In the shapes of `Probes.layers`."""
        found = []
        for layer in self.layers:
            found += [layer.weight.detach().T.clone(), layer.bias.detach().clone()]
        return found


def batches_of(examples: Examples, steps: int) -> list[tuple[Tensor, Tensor]]:
    """The minibatches that `train_adamw` draws."""
    rng = np.random.default_rng(SEEDS[0])
    batches: list[tuple[Tensor, Tensor]] = []
    while len(batches) < steps:
        batches += examples.batches(8, rng)
    return batches[:steps]


@pytest.mark.parametrize("hidden", [None, 4])
@pytest.mark.parametrize("loss", ["multiclass", "multilabel", "regression"])
def test_training_together_equals_training_alone(hidden: int | None, loss: Loss) -> None:
    config = replace(CONFIG, hidden=hidden)
    together = fit(config, loss)
    train_split, valid = split(0, loss), split(1, loss)
    if loss == "regression":
        scale = train_split.target_scale()
        train_split, valid = train_split.scale_targets(scale), valid.scale_targets(scale)
    assert config.max_steps
    batches = batches_of(train_split, config.max_steps)
    moved = 0.0
    for variant, fits in enumerate(together.fits):
        alone = {
            (rate, seed): Alone(config, loss, rate, variant, seed)
            for rate in config.learning_rates
            for seed in SEEDS
        }
        start = {key: one.weights() for key, one in alone.items()}
        for one in alone.values():
            for x, y in batches:
                one.step(x, y)
        found = {key: one.validation(valid) for key, one in alone.items()}
        mean = [np.mean([found[rate, seed] for seed in SEEDS]) for rate in config.learning_rates]
        best = config.learning_rates[int(np.argmin(mean))]
        for number, (seed, own) in enumerate(zip(SEEDS, fits, strict=True)):
            assert (own.learning_rate, own.steps, own.converged) == (best, config.max_steps, False)
            assert own.loss == pytest.approx(found[best, seed], abs=1e-5)
            pairs = zip(
                together.layers, alone[best, seed].weights(), start[best, seed], strict=True
            )
            for mine, its, first in pairs:
                torch.testing.assert_close(mine[variant, number], its, atol=1e-5, rtol=0)
                moved = max(moved, float((its - first).abs().max()))
    assert moved > 0.05


def test_early_stopping_keeps_each_probes_own_best_weights() -> None:
    """Few examples and large steps: every probe is best at a time of its own."""
    config = replace(CONFIG, learning_rates=(0.3,), check_every=2, patience=3, max_steps=300)
    train_split, valid = split(0, tracks=3), split(1)
    together = train_adamw(
        train_split,
        valid,
        config,
        level="frame",
        loss="multiclass",
        classes=CLASSES,
        seeds=SEEDS,
    )
    steps = together.fits[0][0].steps
    every = max(2, -(-train_split.count // 8))
    batches = batches_of(train_split, steps)
    all_losses, best_at = [], set()
    for variant, fits in enumerate(together.fits):
        for number, (seed, own) in enumerate(zip(SEEDS, fits, strict=True)):
            alone = Alone(config, "multiclass", 0.3, variant, seed)
            seen, weights = [], []
            for count, (x, y) in enumerate(batches, 1):
                alone.step(x, y)
                if count % every == 0:
                    seen.append(alone.validation(valid))
                    weights.append(alone.weights())
            best = int(np.argmin(seen))
            best_at.add(best)
            all_losses.append(seen)
            for tensor, its in zip(together.layers, weights[best], strict=True):
                torch.testing.assert_close(tensor[variant, number], its, atol=1e-4, rtol=0)
            assert own.loss == pytest.approx(seen[best], abs=1e-4)
            assert own.converged
    assert len(best_at) > 1
    # training ended when no probe had improved for patience + 1 looks, and not before
    improved = np.array(
        [[loss < min([*own[:i], np.inf]) for i, loss in enumerate(own)] for own in all_losses]
    )
    last = int(np.flatnonzero(improved.any(axis=0)).max())
    assert steps == (last + 1 + config.patience + 1) * every < 300


def test_training_without_a_limit_ends_by_patience() -> None:
    config = replace(CONFIG, max_steps=None, check_every=2, patience=2)
    (fits,) = {tuple(fits) for fits in fit(config).fits[:1]}
    assert all(one.converged and one.steps > 23 for one in fits)


def test_paper_preset_is_the_papers_protocol() -> None:
    config = probe_config("paper", "linear")
    assert isinstance(config, AdamWConfig)
    assert config.hidden is None
    assert config.learning_rates == (1e-3,)
    assert config.batch == {"clip": 128, "frame": 128}
    assert config.max_steps == 50 * 128 == 6400
    assert config.check_every is None
    assert not config.standardise


def test_paper_training_runs_to_the_end_and_keeps_the_last_weights() -> None:
    paper = probe_config("paper", "linear")
    assert isinstance(paper, AdamWConfig)
    config = replace(paper, max_steps=150)
    probes = fit(config)
    assert probes.fits[0][0].steps == 150
    assert tuple(map(float, probes.scale)) == (0, 1)
    alone = Alone(config, "multiclass", 1e-3, 0, SEEDS[0])
    rng = np.random.default_rng(SEEDS[0])
    for _ in range(150):  # all 60 examples make one batch, since there are fewer than 128
        alone.step(*next(split(0).batches(60, rng)))
    torch.testing.assert_close(probes.layers[0][0, 0], alone.weights()[0], atol=1e-5, rtol=0)


def test_kind_sets_the_hidden_layer() -> None:
    assert isinstance(PRESETS["standard"]["linear"], LbfgsConfig)
    for preset in PRESETS:
        mlp = probe_config(preset, "mlp")
        assert isinstance(mlp, AdamWConfig)
        assert mlp.hidden == HIDDEN


@pytest.mark.parametrize(
    ("preset", "kind", "message"),
    [("papper", "linear", "did you mean 'paper'"), ("paper", "liner", "did you mean 'linear'")],
)
def test_unknown_preset_and_kind(preset: str, kind: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        probe_config(preset, kind)


def test_an_ignored_target_costs_nothing() -> None:
    logits = torch.randn(1, 4, 1, CLASSES)
    targets = torch.tensor([0, -1, 2, -1])
    kept = losses(logits[:, [0, 2]], targets[[0, 2]], "multiclass")
    assert torch.equal(losses(logits, targets, "multiclass"), kept)
    assert float(kept) > 0
    assert float(losses(logits, torch.full((4,), -1), "multiclass")) == 0


def test_squared_error_is_summed_over_examples_and_averaged_over_labels() -> None:
    logits = torch.tensor([[1.0, 2.0], [0.0, 0.0]]).view(1, 2, 1, 2)
    targets = torch.tensor([[0.0, 0.0], [3.0, 1.0]])
    assert float(losses(logits, targets, "regression")) == (1 + 4) / 2 + (9 + 1) / 2
