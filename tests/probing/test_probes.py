from __future__ import annotations

from dataclasses import replace
from itertools import islice, pairwise
from math import log

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers.in_memory import InMemory
from torch import Tensor, nn

from mirprobe.core.errors import ConfigError
from mirprobe.core.schema import Loss
from mirprobe.probing import probes as module
from mirprobe.probing.batches import Examples, with_shuffled
from mirprobe.probing.probes import (
    PRESETS,
    Group,
    ProbeConfig,
    Probes,
    groups,
    losses,
    probe_config,
    train,
)

VARIANTS, DIM, CLASSES = 2, 6, 3
SEEDS = (5, 11)
CONFIG = ProbeConfig(None, (1e-2, 3e-2), 0.1, {"clip": 16, "frame": 8}, 23, None, 0, False)


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
    return Examples(frames, with_shuffled(targets, rng))


def fit(config: ProbeConfig, loss: Loss = "multiclass") -> Probes:
    return train(
        split(0, loss),
        split(1, loss),
        config=config,
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
        self, config: ProbeConfig, loss: Loss, group: Group, variant: int, seed: int
    ) -> None:
        self.loss, self.group, self.variant = loss, group, variant
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
            self.model.parameters(), lr=group.learning_rate, weight_decay=config.weight_decay
        )

    def step(self, x: Tensor, y: Tensor) -> None:
        self.optimiser.zero_grad()
        logits = self.model(x[:, self.variant])
        one_loss(logits, y[:, int(self.group.shuffled)], self.loss).backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()

    def validation(self, valid: Examples) -> float:
        x = torch.cat([x for x, _ in valid.in_order()])[:, self.variant]
        y = torch.cat([y for _, y in valid.in_order()])[:, int(self.group.shuffled)]
        with torch.no_grad():
            return float(one_loss(self.model(x), y, self.loss))

    def weights(self) -> list[Tensor]:
        """In the shapes of `Probes.parameters`."""
        found = []
        for layer in self.layers:
            found += [layer.weight.detach().T.clone(), layer.bias.detach().clone()]
        return found


@pytest.mark.parametrize("hidden", [None, 4])
@pytest.mark.parametrize("loss", ["multiclass", "multilabel", "regression"])
def test_training_together_equals_training_alone(hidden: int | None, loss: Loss) -> None:
    config = replace(CONFIG, hidden=hidden)
    together = fit(config, loss)
    assert together.steps == config.max_steps
    rng = np.random.default_rng(SEEDS[0])
    batches: list[tuple[Tensor, Tensor]] = []
    train_split, valid = split(0, loss), split(1, loss)
    if loss == "regression":
        scale = train_split.target_scale()
        train_split, valid = train_split.scale_targets(scale), valid.scale_targets(scale)
    while len(batches) < config.max_steps:
        batches += train_split.batches(8, rng)
    moved = 0.0
    for place, group in enumerate(together.groups):
        for variant in range(VARIANTS):
            for number, seed in enumerate(SEEDS):
                alone = Alone(config, loss, group, variant, seed)
                start = alone.weights()
                for x, y in islice(batches, config.max_steps):
                    alone.step(x, y)
                for mine, its, first in zip(
                    together.parameters[place], alone.weights(), start, strict=True
                ):
                    torch.testing.assert_close(mine[variant, number], its, atol=1e-5, rtol=0)
                    moved = max(moved, float((its - first).abs().max()))
                found = together.validation_loss[variant, place, number]
                assert float(found) == pytest.approx(alone.validation(valid), abs=1e-5)
    assert moved > 0.05


def test_groups_are_every_rate_and_one_shuffled() -> None:
    assert groups(PRESETS["standard"]) == [
        Group(3e-4),
        Group(1e-3),
        Group(3e-3),
        Group(1e-3, shuffled=True),
    ]


def test_early_stopping_keeps_each_probes_own_best_weights() -> None:
    """Few examples and large steps: every probe is best at a time of its own."""
    config = replace(CONFIG, learning_rates=(0.03, 1.0), check_every=2, patience=3, max_steps=300)
    train_split, valid = split(0, tracks=3), split(1)
    together = train(
        train_split,
        valid,
        config=config,
        level="frame",
        loss="multiclass",
        classes=CLASSES,
        seeds=SEEDS,
    )
    every = max(2, -(-train_split.count // 8))
    rng = np.random.default_rng(SEEDS[0])
    batches: list[tuple[Tensor, Tensor]] = []
    while len(batches) < config.max_steps:
        batches += train_split.batches(8, rng)
    all_losses, best_at = [], set()
    for place, group in enumerate(together.groups):
        for variant in range(VARIANTS):
            for number, seed in enumerate(SEEDS):
                alone = Alone(config, "multiclass", group, variant, seed)
                seen, weights = [], []
                for count, (x, y) in enumerate(batches[: together.steps], 1):
                    alone.step(x, y)
                    if count % every == 0:
                        seen.append(alone.validation(valid))
                        weights.append(alone.weights())
                best = int(np.argmin(seen))
                best_at.add(best)
                all_losses.append(seen)
                mine = together.parameters[place]
                for tensor, its in zip(mine, weights[best], strict=True):
                    torch.testing.assert_close(tensor[variant, number], its, atol=1e-4, rtol=0)
                found = together.validation_loss[variant, place, number]
                assert float(found) == pytest.approx(seen[best], abs=1e-4)
    assert len(best_at) > 2
    # training ended when no probe had improved for patience + 1 looks, and not before
    improved = np.array(
        [[loss < min([*own[:i], np.inf]) for i, loss in enumerate(own)] for own in all_losses]
    )
    last = int(np.flatnonzero(improved.any(axis=0)).max())
    assert together.steps == (last + 1 + config.patience + 1) * every < config.max_steps


def test_paper_preset_is_the_papers_protocol() -> None:
    config = probe_config("paper", "linear")
    assert config.hidden is None
    assert config.learning_rates == (1e-3,)
    assert config.batch == {"clip": 128, "frame": 128}
    assert config.max_steps == 50 * 128 == 6400
    assert config.check_every is None
    assert not config.standardise


def test_paper_training_runs_to_the_end_and_keeps_the_last_weights() -> None:
    config = replace(probe_config("paper", "linear"), max_steps=150)
    probes = fit(config)
    assert probes.steps == 150
    assert (float(probes.mean), float(probes.inverse)) == (0, 1)
    alone = Alone(config, "multiclass", probes.groups[0], 0, SEEDS[0])
    rng = np.random.default_rng(SEEDS[0])
    for _ in range(150):  # all 60 examples make one batch, since there are fewer than 128
        alone.step(*next(split(0).batches(60, rng)))
    torch.testing.assert_close(probes.parameters[0][0][0, 0], alone.weights()[0], atol=1e-5, rtol=0)


def test_kind_sets_the_hidden_layer() -> None:
    assert probe_config("standard", "mlp").hidden == module.HIDDEN
    assert probe_config("standard", "linear").hidden is None


@pytest.mark.parametrize(
    ("preset", "kind", "message"),
    [("papper", "linear", "did you mean 'paper'"), ("paper", "liner", "did you mean 'linear'")],
)
def test_unknown_preset_and_kind(preset: str, kind: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        probe_config(preset, kind)


def test_an_ignored_target_costs_nothing() -> None:
    logits = torch.randn(1, 4, 1, 1, CLASSES)
    targets = torch.tensor([[0], [-1], [2], [-1]])
    kept = losses(logits[:, [0, 2]], targets[[0, 2]], "multiclass")
    assert torch.equal(losses(logits, targets, "multiclass"), kept)
    assert float(kept) > 0
    assert float(losses(logits, torch.full((4, 1), -1), "multiclass")) == 0


def separable(seed: int, tracks: int) -> Examples:
    """The class decides the mean of every dimension but the last, which only rounds."""
    rng = np.random.default_rng(seed)
    classes = np.arange(tracks) % CLASSES
    rows = rng.normal(size=(tracks, 1, 1, DIM)) + 4 * np.eye(CLASSES, DIM)[classes][:, None, None]
    rows[..., -1] = 1234.567
    rows[::2, ..., -1] = np.nextafter(np.float32(1234.567), np.float32(2000))
    rows[..., 0] *= 1e-7  # a scale is no information
    frames = [InMemory(row.astype(np.float32)) for row in rows]
    return Examples(frames, with_shuffled([np.array([c]) for c in classes], rng))


@pytest.mark.parametrize("kind", ["linear", "mlp"])
def test_separable_classes_are_told_apart_and_shuffled_ones_are_not(kind: str) -> None:
    config = replace(probe_config("standard", kind), max_steps=400)
    probes = train(
        separable(0, 300),
        separable(1, 900),
        config=config,
        level="clip",
        loss="multiclass",
        classes=CLASSES,
        seeds=(0,),
    )
    x, y = (torch.cat(parts) for parts in zip(*separable(2, 300).in_order(), strict=True))
    with torch.no_grad():
        guesses = probes.logits(x)[0, :, :, 0].argmax(-1)
    hits = (guesses == y[:, :1]).float().mean(0)
    assert hits[2] > 0.97
    # shuffled labels teach nothing: no better than knowing that there are three classes
    found = probes.validation_loss[0, :, 0]
    assert found[2] < 0.4
    assert float(found[3]) == pytest.approx(log(CLASSES), abs=0.05)
    # what does not vary is centred away and left unscaled
    assert probes.inverse[0, -1] == 1
    assert float(probes.mean[0, -1]) == pytest.approx(1234.567)


def affine(seed: int, tracks: int, offset: float = 0.0) -> Examples:
    """Two numbers that a linear map of the frame gives, on scales far apart, and a constant."""
    rng = np.random.default_rng(seed)
    frames, targets = [], []
    for _ in range(tracks):
        x = rng.normal(size=(1, 1, DIM)).astype(np.float32)
        numbers = [1000 + 50 * x[0, 0, 0] + offset, 1e-3 * (x[0, 0, 1] - x[0, 0, 2]), 7.0]
        frames.append(InMemory(x))
        targets.append(np.array([numbers], dtype=np.float32))
    return Examples(frames, with_shuffled(targets, rng))


@pytest.mark.parametrize("preset", ["standard", "paper"])
def test_a_regression_finds_a_linear_map_in_the_units_of_its_targets(preset: str) -> None:
    examples = affine(0, 200)
    probes = train(
        examples,
        affine(1, 200, offset=500.0),  # what standardises is the training split alone
        config=replace(probe_config(preset, "linear"), check_every=None),
        level="clip",
        loss="regression",
        classes=3,
        seeds=(0,),
    )
    truth = np.concatenate(examples.targets)[:, 0]
    np.testing.assert_allclose(probes.target_scale[0], truth.mean(0), rtol=1e-5)
    np.testing.assert_allclose(probes.target_scale[1], [*truth.std(0)[:2], 1], rtol=1e-4)
    x, y = (torch.cat(parts) for parts in zip(*affine(2, 100).in_order(), strict=True))
    with torch.no_grad():
        found = probes.outputs(x)[0, :, :, 0].numpy()  # (n, groups, 3)
    wanted = y[:, 0].numpy()
    true = [place for place, group in enumerate(probes.groups) if not group.shuffled]
    best = found[:, true[-1]]
    assert np.abs(best[:, 0] - wanted[:, 0]).max() < 1
    assert np.abs(best[:, 1] - wanted[:, 1]).max() < 2e-5
    np.testing.assert_allclose(best[:, 2], 7, atol=0.02)
    # shuffled targets teach no more than their mean
    blind = found[:, -1, 0]
    assert np.abs(blind - 1000).max() < 50
    assert np.square(blind - wanted[:, 0]).mean() > 0.8 * wanted[:, 0].var()


def test_squared_error_is_summed_over_examples_and_averaged_over_labels() -> None:
    logits = torch.tensor([[1.0, 2.0], [0.0, 0.0]]).view(1, 2, 1, 1, 2)
    targets = torch.tensor([[0.0, 0.0], [3.0, 1.0]]).view(2, 1, 2)
    assert float(losses(logits, targets, "regression")) == (1 + 4) / 2 + (9 + 1) / 2
