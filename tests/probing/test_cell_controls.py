"""Controls of a cell: chance, ceiling and shuffled labels, also of regressions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from helpers.stub_cells import (
    CONFIG,
    make_tracks,
    relabelled,
    setup,
    shifted,
    table,
)
from helpers.stub_task import LABELS, StubTask
from numpy.typing import NDArray

from mirprobe.core.errors import ConfigError
from mirprobe.core.schema import Annotations, Floats, Loss
from mirprobe.probing.cell import run_cell


def test_chance_knows_the_class_frequencies_of_training_alone() -> None:
    tracks = relabelled(make_tracks(), "train", ["b"] * 18 + ["a"] * 9 + ["c"] * 3)
    keys = ["b"] * 4 + ["a"] * 6 + ["c"] * 5
    task = StubTask()
    result = run_cell(task, relabelled(tracks, "test", keys), setup())
    (row,) = table(result, "chance").to_dict("records")
    assert row["value"] == pytest.approx(4 / 15)
    assert row["validation"] == pytest.approx(1 / 3)
    assert (row["layer"], row["source"], row["n"]) == ("", "", 15)
    assert np.isnan(row["learning_rate"])
    seen = np.exp(task.decoded[-1])
    np.testing.assert_allclose(seen, [9 / 30, 18 / 30, 3 / 30], rtol=0.01)
    assert all(one.kind != "chance" for one in result.predictions)


def test_chance_breaks_ties_at_random() -> None:
    result = run_cell(StubTask(), make_tracks(), setup())
    (row,) = table(result, "chance").to_dict("records")
    assert 0.1 < row["value"] < 0.6  # 60 draws at 1/3 each: five deviations either way


class Relevances(StubTask):
    """The same keys as one relevance each: a multi-label task."""

    loss: Loss = "multilabel"

    def targets(self, annotations: Annotations, times: Floats | None) -> NDArray[Any]:
        target = super().targets(annotations, times)
        return np.asarray(np.eye(3, dtype=np.float32)[target])


def test_chance_of_a_multilabel_task_is_the_log_odds_of_each_label() -> None:
    tracks = relabelled(make_tracks(), "train", ["b"] * 18 + ["a"] * 9 + ["c"] * 3)
    task = Relevances()
    run_cell(task, tracks, setup())
    expected = np.log([9 / 21, 18 / 12, 3 / 27])
    np.testing.assert_allclose(task.decoded[-1], expected, atol=0.01)


class Place(StubTask):
    """The same keys as numbers: a regression of 10, 20 and 30; an estimate is the nearest."""

    loss: Loss = "regression"
    labels: tuple[str, ...] = ("place",)

    def targets(self, annotations: Annotations, times: Floats | None) -> NDArray[Any]:
        place = np.array([10 * LABELS.index(str(annotations.key)) + 10], dtype=np.float32)
        return place if times is None else np.tile(place, (len(times), 1))

    def decode(
        self,
        logits: NDArray[np.float32],
        times: Floats | None,
        decoding: str,
        parameters: Mapping[str, float],
    ) -> Annotations:
        self.decoded.append(logits)
        place = float(np.mean(logits)) / 10 - 1
        return Annotations(key=LABELS[min(2, max(0, round(place)))])


@pytest.mark.parametrize("level", ["clip", "frame"])
def test_a_regression_reads_numbers_in_their_units(level: Any) -> None:
    config = replace(CONFIG, learning_rates=(0.03,), max_steps=300, standardise=True)
    task = Place(level)
    result = run_cell(task, make_tracks(), setup(config))
    assert (table(result)["value"] > 0.9).all()
    assert table(result, "shuffled")["value"].item() < 0.8
    if level == "frame":
        assert table(result, "ceiling")["value"].item() == 1


def test_chance_of_a_regression_is_the_mean_of_the_training_targets() -> None:
    tracks = relabelled(make_tracks(), "train", ["b"] * 18 + ["a"] * 9 + ["c"] * 3)
    task = Place()
    run_cell(task, tracks, setup())
    assert task.decoded[-1].tolist() == [pytest.approx((18 * 20 + 9 * 10 + 3 * 30) / 30)]


class NotANumber(Place):
    def targets(self, annotations: Annotations, times: Floats | None) -> NDArray[Any]:
        return np.full(1, np.nan, dtype=np.float32)


class Misspelt(StubTask):
    loss: Loss = "regresion"  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (NotANumber(), "a target of track 'train-0' is not finite; give numbers"),
        (Misspelt(), "task 'stub': unknown loss 'regresion'; did you mean 'regression'"),
    ],
)
def test_targets_and_losses_that_cannot_be_learned(task: StubTask, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        run_cell(task, make_tracks(), setup())


@pytest.mark.parametrize("task", [StubTask("frame"), Relevances("frame")])
def test_ceiling_is_the_reference_itself(task: StubTask) -> None:
    tracks = shifted(shifted(make_tracks(), "test"), "valid")
    (row,) = table(run_cell(task, tracks, setup()), "ceiling").to_dict("records")
    assert row["value"] == row["validation"] == 1


def test_clips_have_no_ceiling() -> None:
    assert not len(table(run_cell(StubTask(), make_tracks(), setup()), "ceiling"))


def test_shuffled_control_is_far_below_the_probe() -> None:
    result = run_cell(StubTask("frame"), make_tracks(), setup())
    (row,) = table(result, "shuffled").to_dict("records")
    assert row["value"] < 0.7
    probes = table(result)
    assert probes["value"].tolist() == [1, 1]
    assert row["layer"] == probes[probes["selected"]]["layer"].item()
