"""Nearest neighbours and weighted layers, beside naive references and closed forms."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.in_memory import InMemory
from helpers.stub_task import StubTask
from probing.test_fixed_layers import ROW, make_tracks

from mirprobe.core.errors import ConfigError
from mirprobe.core.schema import Level, Loss
from mirprobe.probing.adamw import train_adamw
from mirprobe.probing.batches import Examples
from mirprobe.probing.cell import run_cell
from mirprobe.probing.knn import train_knn
from mirprobe.probing.pooling import mean_of_parts, pool_over_time
from mirprobe.probing.probe_run import ProbeRun
from mirprobe.probing.probes import AdamWConfig, KnnConfig, ProbeConfig, probe_config
from mirprobe.probing.subsets import FewLabels


def examples(n: int, targets: Any, seed: int = 0, variants: int = 2) -> Examples:
    rows = np.random.default_rng(seed).normal(size=(n, variants, 5)).astype(np.float32)
    half = n // 2
    return Examples(
        [InMemory(rows[:half]), InMemory(rows[half:])], [targets[:half], targets[half:]]
    )


def naive(train: np.ndarray, targets: np.ndarray, x: np.ndarray, k: int) -> np.ndarray:
    """Mean target of the k training vectors with the largest cosine, one by one."""
    found = []
    for row in x:
        cosine = [row @ own / np.linalg.norm(row) / np.linalg.norm(own) for own in train]
        found.append(np.mean([targets[i] for i in np.argsort(cosine)[::-1][:k]], axis=0))
    return np.array(found)


@pytest.mark.parametrize("loss", ["multiclass", "multilabel", "regression"])
def test_neighbours_are_those_of_a_naive_search(loss: Loss) -> None:
    rng = np.random.default_rng(1)
    classes, k = 3, 4
    targets = rng.integers(0, classes, 60)
    known = np.eye(classes)[targets]
    if loss != "multiclass":
        known = rng.random((60, classes)) if loss == "regression" else known
        targets = known.astype(np.float32)
    train = examples(60, targets)
    found = train_knn(train, train, KnnConfig((k,)), loss=loss, classes=classes)
    x = np.random.default_rng(2).normal(size=(20, 2, 5)).astype(np.float32)
    out = found.outputs(torch.from_numpy(x))
    assert out.shape == (2, 20, 1, classes)
    rows = np.concatenate([own.read() for own in train.frames])
    for variant in range(2):
        wanted = naive(rows[:, variant], known, x[:, variant], k)
        if loss != "regression":  # the prior counts as one neighbour
            wanted = (k * wanted + known.mean(0)) / (k + 1)
            wanted = np.log(wanted if loss == "multiclass" else wanted / (1 - wanted))
        np.testing.assert_allclose(out[variant, :, 0], wanted, atol=0.01)


def test_the_nearest_of_equal_votes_wins_and_length_does_not_count() -> None:
    rows = np.array([[[1, 0.1]], [[100, 30]], [[0, 1]]], np.float32)
    train = Examples([InMemory(rows)], [np.array([0, 1, 2])])
    found = train_knn(train, train, KnnConfig((2,)), loss="multiclass", classes=3)
    x = torch.tensor([[[5.0, 0.0]], [[1.0, 0.4]]])
    assert found.outputs(x)[0, :, 0].argmax(-1).tolist() == [0, 1]


def test_validation_chooses_the_number_of_neighbours() -> None:
    """Labels without relation to the inputs need many neighbours, equal inputs one."""
    rng = np.random.default_rng(0)
    random = rng.integers(0, 2, 200)
    noise = train_knn(
        examples(200, random, variants=1), examples(200, rng.integers(0, 2, 200), 5, 1),
        KnnConfig((1, 5, 50)), loss="multiclass", classes=2,
    )  # fmt: skip
    same = examples(200, random, variants=1)
    exact = train_knn(same, same, KnnConfig((1, 5, 50)), loss="multiclass", classes=2)
    assert [noise.fits[0][0].neighbours, exact.fits[0][0].neighbours] == [50, 1]
    assert noise.fits[0][0].edge
    assert not exact.fits[0][0].edge
    assert exact.fits[0][0].setting == "k=1"


def quick() -> AdamWConfig:
    config = probe_config("standard", "weighted")
    assert isinstance(config, AdamWConfig)
    return replace(config, learning_rates=(0.03,), max_steps=400)


def test_the_weighted_sum_finds_the_layer_that_knows() -> None:
    rng = np.random.default_rng(0)
    made = []
    for _ in range(2):
        target = rng.integers(0, 3, 300)
        rows = rng.normal(size=(300, 4, 3))
        rows[:, 2] += 3 * np.eye(3)[target]  # layer 0 of the second source
        made.append(Examples([InMemory(rows.astype(np.float32))], [target], members=2))
    probes = train_adamw(
        made[0], made[1], quick(), level="clip", loss="multiclass", classes=3, seeds=(0, 1)
    )
    assert probes.shape == (2, 2)
    weights = np.array([fit.layer_weights for fit in probes.fits[1]])
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-6)
    assert (weights[:, 0] > 0.8).all()
    assert probes.fits[1][0].setting.startswith("layers 0.")
    # the outputs are those of one linear layer on the weighted sum of standardised inputs
    x = torch.from_numpy(made[1].frames[0].read())
    scaled = (x - probes.scale[0]) * probes.scale[1]
    mix, weight, bias = (layer[1, 0] for layer in probes.layers)
    share = mix.softmax(0)
    wanted = (share[0] * scaled[:, 2] + share[1] * scaled[:, 3]) @ weight + bias
    np.testing.assert_allclose(probes.logits(x)[1, :, 0], wanted, atol=1e-4)
    assert (wanted.argmax(1).numpy() == made[1].targets[0]).mean() > 0.85


def test_the_query_finds_the_part_that_knows() -> None:
    """The class is heard in one of eight parts, at a random place that a marker tells."""
    rng = np.random.default_rng(0)
    made = []
    for _ in range(2):
        target = rng.integers(0, 3, 300)
        rows = rng.normal(size=(300, 2, 8, 4))
        place = rng.integers(0, 8, 300)
        rows[np.arange(300), 1, place] += np.c_[3 * np.eye(3)[target], np.full(300, 6)]
        made.append(Examples([InMemory(rows.reshape(300, 16, 4))], [target], members=8))
    config = replace(quick(), weighted=False, parts=8)
    probes = train_adamw(
        made[0], made[1], config, level="clip", loss="multiclass", classes=3, seeds=(0, 1)
    )
    assert probes.shape == (2, 2)
    x = torch.from_numpy(made[1].frames[0].read()).float()
    # the outputs are those of one linear layer on a weighted mean of the parts, one by one
    mean = made[0].frames[0].read().reshape(300, 2, 8, 4)[:, 1].mean((0, 1))
    deviation = made[0].frames[0].read().reshape(300, 2, 8, 4)[:, 1].std((0, 1))
    query, weight, bias = (layer[1, 0].numpy() for layer in probes.layers)
    wanted = []
    for parts in (x[:, 8:].numpy() - mean) / deviation:
        heard = np.exp(parts @ query[:, 0] / 2)
        wanted.append((heard / heard.sum()) @ parts @ weight + bias)
    np.testing.assert_allclose(probes.logits(x)[1, :, 0], wanted, atol=1e-3)
    right = probes.logits(x).argmax(-1) == torch.from_numpy(made[1].targets[0])[None, :, None]
    assert right[1].float().mean() > 0.9 > 0.5 > right[0].float().mean()


@pytest.mark.parametrize("time", [1, 5, 64, 100, 5000])
def test_poolings_are_those_of_numpy(time: int) -> None:
    rows = np.random.default_rng(0).normal(size=(time, 2, 3)).astype(np.float16)
    exact = rows.astype(np.float64)
    found = pool_over_time(InMemory(rows), "mean+std")
    np.testing.assert_allclose(found, np.concatenate([exact.mean(0), exact.std(0)], 1), atol=1e-5)
    np.testing.assert_array_equal(pool_over_time(InMemory(rows), "max"), rows.max(0))
    parts = mean_of_parts(InMemory(rows), 64)
    assert parts.shape == (2, 64, 3)
    each = exact.repeat(64, axis=0).reshape(64, time, 2, 3).mean(1)
    if time % 64 == 0 or 64 % time == 0:  # the ends of parts are those of frames
        np.testing.assert_allclose(parts, each.transpose(1, 0, 2), atol=1e-3)
    np.testing.assert_allclose(parts[:, 0], exact[: max(1, -(-time // 64))].mean(0), atol=1e-3)


@pytest.mark.parametrize("kind", ["linear", "attentive"])
def test_what_varies_over_time_is_read_by_deviation_and_by_attention(kind: str) -> None:
    """The class is in the frames and averages out: the clip vectors of the mean say nothing."""
    rng = np.random.default_rng(0)
    made = make_tracks(6, noise=(9, 9, 9))
    for own in made.values():
        for track, embedding in own:
            frames = 0.1 * rng.normal(size=(40, 3, 6))
            label = "abc".index(str(track.annotations.key))
            frames[::2, :, label] += 1
            frames[1::2, :, label] -= 1
            embedding.__dict__["frames"] = InMemory(frames.astype(np.float32))
    layers, row = ("low", "middle", "high"), {**ROW, "preset": "standard"}
    config: ProbeConfig = probe_config("standard", "linear")
    pooling: tuple[str, ...] = ("mean", "mean+std", "max")
    if kind == "attentive":
        config, pooling = replace(quick(), weighted=False, parts=8), ("mean",)
    run = ProbeRun(layers, ("class", "sequence"), 2.0, config, (0,), row, pooling=pooling)
    rows = pd.DataFrame(run_cell(StubTask(), made, run).scores)
    rows = rows[rows["metric"] == "accuracy"]
    probes = rows[rows["kind"] == "probe"].set_index("source")
    assert len(probes) == (3 if kind == "attentive" else 12)
    [shuffled] = rows.loc[rows["kind"] == "shuffled", "value"]
    assert shuffled < 0.7
    if kind == "linear":
        values = probes["value"].groupby("source")
        assert values.min()["mean+std"] == 1
        assert values.max()["sequence"] < 0.7
        assert probes[probes["selected"]].index.item() in ("mean+std", "max")
    assert probes[probes["selected"]]["value"].item() == 1


@pytest.mark.parametrize("level", ["clip", "frame"])
@pytest.mark.parametrize("kind", ["knn", "weighted"])
def test_a_cell_has_controls_selection_and_subsets(level: Level, kind: str) -> None:
    config: ProbeConfig = quick() if kind == "weighted" else KnnConfig((1, 5))
    sources = ("class", "sequence")
    few = FewLabels((9,), (), 2)
    run = ProbeRun(("low", "middle", "high"), sources, 2.0, config, (0,), ROW, few)
    cell = run_cell(StubTask(level), make_tracks(70, noise=(1, 1, 1)), run)
    rows = pd.DataFrame([score for score in cell.scores if score.metric == "accuracy"])
    probes = rows[rows["kind"] == "probe"]
    variants = (1 if kind == "weighted" else 3) * (2 if level == "clip" else 1)
    assert len(probes) == variants
    [selected] = probes.loc[probes["selected"], "value"]
    [shuffled] = rows.loc[rows["kind"] == "shuffled", "value"]
    assert selected > 0.9 > 0.7 > shuffled
    assert len(rows[rows["kind"] == "few"]) == 2
    assert probes["wins"].sum() == pytest.approx(1)
    assert set(probes["setting"].str[:2]) == {"la" if kind == "weighted" else "k="}
    assert ("pca" in set(rows["kind"])) == (kind == "knn")


def test_weighted_layers_have_no_common_components() -> None:
    run = ProbeRun(("low", "middle", "high"), ("sequence",), 2.0, quick(), (0,), ROW, components=4)
    with pytest.raises(ConfigError, match=r"'weighted' adds layers, .*; drop pca"):
        run_cell(StubTask(), make_tracks(8), run)
