"""Probes of subsets of the training split: what they hold, what they score, what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.in_memory import InMemory
from helpers.stub_task import LABELS, StubTask
from scipy.special import ndtr

from mirprobe.core.errors import ConfigError
from mirprobe.core.schema import SPLITS, Annotations, Embedding, Level, Split, Track
from mirprobe.probing.batches import Examples
from mirprobe.probing.cell import run_cell
from mirprobe.probing.lbfgs import train_lbfgs
from mirprobe.probing.probe_run import ProbeRun
from mirprobe.probing.probes import LbfgsConfig
from mirprobe.probing.subsets import FewLabels, begin, nested_order

ROW = dict.fromkeys(
    ("encoder", "task", "dataset", "probe", "preset", "fingerprint", "splits", "cell"), "x"
)
SIZES: dict[Split, int] = {"train": 60, "valid": 30, "test": 300}
FEW = FewLabels((3, 12), (2,), 3)


def tracks_of(distance: float, dim: int = 1) -> dict[Split, list[tuple[Track, Embedding]]]:
    """Three classes in turn, `distance` standard deviations apart on a line."""
    rng = np.random.default_rng(0)
    made: dict[Split, list[tuple[Track, Embedding]]] = {split: [] for split in SPLITS}
    for split in SPLITS:
        for number in range(SIZES[split]):
            rows = rng.normal(size=(4, 1, dim)).astype(np.float32)
            rows[..., 0] += distance * (number % 3)
            name = f"{split}-{number}"
            track = Track(name, Path(name), name, Annotations(key=LABELS[number % 3]))
            made[split].append((track, Embedding(rows[:1, None], InMemory(rows), 2.0)))
    return made


def scores(few: FewLabels, level: Level = "clip", distance: float = 8.0) -> pd.DataFrame:
    run = ProbeRun(("0",), ("sequence",), 2.0, LbfgsConfig((1.0, 0.1, 0.01)), (0,), ROW, few)
    cell = run_cell(StubTask(level), tracks_of(distance), run)
    assert {one.kind for one in cell.predictions} <= {"probe", "shuffled", "ceiling"}
    return pd.DataFrame(cell.scores)


def test_an_order_is_stratified_and_keeps_groups() -> None:
    groups = [f"artist-{number // 2}" for number in range(60)]
    labels = [0] * 40 + [1] * 16 + [2] * 4
    order = nested_order(groups, labels, 5)
    assert sorted(index for _, own in order for index in own) == list(range(60))
    assert all({groups[index] for index in own} == {groups[own[0]]} for _, own in order)
    for size in (6, 12, 30, 60):
        found = [labels[index] for index in begin(order, size)]
        assert len(found) == size
        for label, share in enumerate((40 / 60, 16 / 60, 4 / 60)):
            assert found.count(label) >= 2
            assert abs(found.count(label) - share * size) <= 4
    # half of the tracks have half of each class, up to one group
    found = [labels[index] for index in begin(order, 30)]
    assert [abs(found.count(label) - half) <= 2 for label, half in enumerate((20, 8, 2))]
    assert begin(order, 12) == begin(order, 30)[:12]
    assert nested_order(groups, labels, 5) == order != nested_order(groups, labels, 6)


def test_tracks_outside_the_classes_are_not_drawn() -> None:
    order = nested_order(list("abcd"), [0, -1, 1, -1], 0)
    assert sorted(index for _, own in order for index in own) == [0, 2]
    with pytest.raises(ConfigError, match="3 training tracks needs more than the 2 that can"):
        begin(order, 3)


@pytest.mark.parametrize("level", ["clip", "frame"])
def test_a_row_for_each_subset_and_repeat(level: Level) -> None:
    few = FEW if level == "clip" else replace(FEW, shots=())
    rows = scores(few, level)
    mains = rows[(rows["kind"] == "few")]
    names = ["3", "12", "2 shots"] if level == "clip" else ["3", "12"]
    assert mains["subset"].tolist() == names * 3
    assert mains["resample"].tolist() == sorted([0, 1, 2] * len(names))
    counts = {"3": 3, "12": 12, "2 shots": 6}
    assert mains["train_tracks"].tolist() == [counts[name] for name in mains["subset"]]
    assert set(mains["metric"]) == {"accuracy"}
    assert not mains["selected"].any()
    control = rows[rows["kind"] == "few-shuffled"]
    assert control["subset"].tolist() == names
    whole = rows[rows["subset"] == ""]
    assert set(whole["train_tracks"]) == {60}
    assert set(whole["resample"]) == {0}


def test_scores_rise_to_the_closed_form() -> None:
    """Classes at 0, d and 2d: the best accuracy is (1 + 2 (1 - 2 Q(d / 2)) + ...) / 3."""
    distance = 3.0
    rows = scores(FewLabels((3, 30), (), 5), distance=distance)
    few = rows[rows["kind"] == "few"].groupby("subset")["value"].mean()
    miss = ndtr(-distance / 2)
    best = 1 - 4 * miss / 3
    [whole] = rows.loc[rows["selected"] & rows["main"], "value"]
    assert few["3"] < few["30"] - 0.05
    assert few["30"] == pytest.approx(whole, abs=0.04)
    assert whole == pytest.approx(best, abs=2.5 * np.sqrt(best * (1 - best) / 300))


def test_a_whole_subset_is_the_split() -> None:
    rows = scores(FewLabels((60,), (), 2), distance=2.0)
    [whole] = rows.loc[rows["selected"] & rows["main"], "value"]
    assert set(rows.loc[rows["kind"] == "few", "value"]) == {whole}


def test_validation_is_scaled_or_whole() -> None:
    """One track a class in validation has an accuracy in thirds."""
    few = FewLabels((6,), (), 4)
    for scaled, count in ((True, 3), (False, 30)):
        rows = scores(replace(few, scaled=scaled), distance=1.5)
        found = rows.loc[rows["kind"] == "few", "validation"].to_numpy() * count
        np.testing.assert_allclose(found, found.round(), atol=1e-9)
    assert (found % 10 != 0).any()


@pytest.mark.parametrize(
    ("few", "level", "why"),
    [
        (FewLabels((70,)), "clip", "train_tracks is 70, and the training split has 60 tracks"),
        (FewLabels((70,)), "frame", "train_tracks is 70, and the training split has 60 tracks"),
        (FewLabels((2,)), "clip", "train_tracks is 2, and the training tracks have 3 classes of"),
        (
            FewLabels((), (21,)),
            "clip",
            "shots is 21, and the number of training tracks of class",
        ),
        (FewLabels((), (1,)), "frame", "shots: task 'stub' has no single class a track; give"),
    ],
)
def test_subsets_that_do_not_exist(few: FewLabels, level: Level, why: str) -> None:
    train = [track for track, _ in tracks_of(1.0)["train"]]
    with pytest.raises(ConfigError) as caught:
        few.require(StubTask(level), train)
    assert str(caught.value).startswith(why)


def test_few_examples_of_many_dimensions_have_the_ridge_regression() -> None:
    """With fewer examples than dimensions the solver works in the span of the examples."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(9, 1, 40)).astype(np.float32)
    y = rng.normal(size=(9, 2)).astype(np.float32)
    examples, decay = Examples([InMemory(x)], [y]), 0.1
    probes = train_lbfgs(examples, examples, LbfgsConfig((decay,)), loss="regression", classes=2)
    scaled, target = ((own - own.mean(0)) / own.std(0) for own in (x[:, 0].astype(np.float64), y))
    wanted = np.linalg.solve(scaled.T @ scaled / 9 + decay * np.eye(40), scaled.T @ target / 9)
    np.testing.assert_allclose(probes.layers[0][0, 0], wanted, atol=2e-3)
