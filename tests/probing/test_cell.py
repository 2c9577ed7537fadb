from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.stub_cells import (
    CONFIG,
    FRAMES,
    INFORMED,
    ROW,
    SIZES,
    Tracks,
    make_tracks,
    relabelled,
    setup,
    shifted,
    table,
)
from helpers.stub_task import LABELS, StubTask
from numpy.typing import NDArray

from mirprobe.core.bootstrap import Statistic, weighted_mean
from mirprobe.core.errors import ConfigError
from mirprobe.core.schema import SPLITS, Annotations, Embedding, Floats, Split
from mirprobe.probing.cell import run_cell
from mirprobe.probing.chance_ceiling import CHANCE_DRAWS
from mirprobe.probing.probe_run import ProbeRun
from mirprobe.probing.probes import LbfgsConfig


def test_validation_chooses_the_layer_that_test_would_not() -> None:
    informed: dict[Split, Sequence[bool]] = {
        "train": (True, True),
        "valid": (True, False),
        "test": (False, True),
    }
    rows = table(run_cell(StubTask(), make_tracks(informed), setup())).set_index("layer")
    assert rows["validation"]["low"] == 1 > rows["validation"]["high"]
    assert rows["value"]["high"] == 1 > rows["value"]["low"]
    assert rows["selected"].to_dict() == {"low": True, "high": False}


def test_validation_chooses_the_learning_rate_that_test_would_not() -> None:
    tracks = shifted(make_tracks(), "test")
    still, moving = 1e-9, 0.03
    both = replace(CONFIG, learning_rates=(still, moving))
    only_still = replace(CONFIG, learning_rates=(still,))
    untrained = table(run_cell(StubTask(), tracks, setup(only_still)))
    found = table(run_cell(StubTask(), tracks, setup(both)))
    assert (untrained["value"] > 0).all()
    assert (untrained["validation"] < 1).all()
    assert found["learning_rate"].tolist() == [moving, moving]
    assert found["validation"].tolist() == [1, 1]
    assert found["value"].tolist() == [0, 0]


def test_the_loss_chooses_one_learning_rate_for_all_decodings() -> None:
    """What the one reads rightly the other reads wrongly; the loss does not know them."""
    still, moving = 1e-9, 0.03
    config = replace(CONFIG, learning_rates=(still, moving))
    task = StubTask(decodings={"right": ({"by": 0},), "wrong": ({"by": 1},)})
    rows = table(run_cell(task, make_tracks(), setup(config)))
    assert set(rows["learning_rate"]) == {moving}
    assert rows.groupby("decoding")["value"].agg(set).to_dict() == {"right": {1.0}, "wrong": {0.0}}


def test_the_optimum_of_a_convex_problem_has_one_seed_and_says_so() -> None:
    config = LbfgsConfig((10.0, 1.0, 0.1, 0.01))
    result = run_cell(StubTask("frame"), make_tracks(), setup(config, (3, 4)))
    rows = table(result)
    assert rows["seed"].tolist() == [3, 3]
    assert rows["value"].tolist() == [1, 1]
    assert rows["converged"].all()
    assert rows["learning_rate"].isna().all()
    assert (rows["steps"] > 10).all()
    control = table(result, "shuffled")
    chosen = rows[rows["selected"]]["weight_decay"].item()
    assert control["weight_decay"].tolist() == [chosen]
    assert control["value"].item() < 0.7


def test_threads_change_no_result() -> None:
    config = LbfgsConfig((1.0, 0.1, 0.01))
    one, two = (
        run_cell(StubTask("frame"), make_tracks(), replace(setup(config), threads=threads))
        for threads in (1, 2)
    )
    assert pd.DataFrame(one.scores).to_csv() == pd.DataFrame(two.scores).to_csv()
    assert list(map(asdict, one.predictions)) == list(map(asdict, two.predictions))


def test_a_choice_at_the_end_of_its_grid_is_named() -> None:
    """Zero is a bound of a parameter; so are the ends of a grid of two values."""

    def edges(grid: Sequence[float], decays: tuple[float, ...]) -> str:
        task = StubTask(decodings={"shift": tuple({"by": by} for by in grid)})
        rows = table(run_cell(task, make_tracks(), setup(LbfgsConfig(decays))))
        return str(rows["edge"].iloc[0])

    ends, inside = (3.0, 2.0, 1.0), (1e3, 1e-9, 1e-12)
    assert edges((1, 2, 3), ends) == "training,by"
    assert edges((2, 3, 4), inside) == ""
    assert edges((2, 3), ends[:2]) == ""
    assert edges((0, 1, 2), inside) == ""


def test_validation_chooses_the_parameters_that_test_would_not() -> None:
    task = StubTask(decodings={"shift": ({"by": 0}, {"by": 1}), "fixed": ({"by": 1},)})
    result = run_cell(task, shifted(make_tracks(), "test"), setup())
    rows = table(result)
    chosen = rows[rows["decoding"] == "shift"]
    assert [json.loads(text) for text in chosen["parameters"]] == [{"by": 0}] * 2
    assert chosen["value"].tolist() == [0, 0]
    assert chosen["validation"].tolist() == [1, 1]
    assert rows[rows["decoding"] == "fixed"]["value"].tolist() == [1, 1]
    assert rows[rows["decoding"] == "fixed"]["validation"].tolist() == [0, 0]


def test_the_labels_of_test_influence_no_choice() -> None:
    config = replace(CONFIG, learning_rates=(1e-3, 0.03, 0.1))
    tracks = make_tracks({**INFORMED, "valid": (True, False)})
    task = StubTask("frame", decodings={"shift": ({"by": 0}, {"by": 1}), "fixed": ({"by": 2},)})
    permuted = [str(key) for key in np.random.default_rng(1).choice(LABELS, SIZES["test"])]
    first = run_cell(task, tracks, setup(config, (0, 1)))
    second = run_cell(task, relabelled(tracks, "test", permuted), setup(config, (0, 1)))
    measured = ["value", "low", "high"]
    before, after = pd.DataFrame(first.scores), pd.DataFrame(second.scores)
    assert before.drop(columns=measured).to_csv() == after.drop(columns=measured).to_csv()
    assert (before["value"] != after["value"]).any()
    probed = [
        [p for p in result.predictions if p.kind in ("probe", "shuffled")]
        for result in (first, second)
    ]
    assert list(map(asdict, probed[0])) == list(map(asdict, probed[1]))


def test_test_logits_are_decoded_once_a_row_and_only_after_all_choices() -> None:
    decodings = {"shift": ({"by": 0}, {"by": 1}), "fixed": ({"by": 2},)}
    task = StubTask("frame", decodings)
    config = replace(CONFIG, learning_rates=(0.01, 0.03))
    seeds = (0, 1, 2)
    result = run_cell(task, make_tracks(), setup(config, seeds))
    splits = [len(logits) for logits in task.decoded]
    assert set(splits) == {FRAMES["valid"], FRAMES["test"]}
    probes = 2 * len(seeds)  # layers x seeds
    choices = probes * (len(decodings["shift"]) + len(decodings["fixed"]))
    assert splits.index(FRAMES["test"]) == choices * SIZES["valid"]
    described = sum(len(table(result, kind)) for kind in ("probe", "shuffled", "ceiling"))
    drawn = CHANCE_DRAWS * len(decodings)
    assert splits.count(FRAMES["test"]) == (described + drawn) * SIZES["test"]
    assert len(result.predictions) == described == 2 * (probes + len(seeds) + 1)


@pytest.mark.parametrize("level", ["clip", "frame"])
def test_every_layer_and_seed_has_a_row_a_metric(level: Any) -> None:
    result = run_cell(StubTask(level), make_tracks(), setup(seeds=(3, 4)))
    rows = table(result)
    found = sorted(zip(rows["layer"], rows["seed"], rows["source"], strict=True))
    assert found == sorted((la, s, "sequence") for la in ("low", "high") for s in (3, 4))
    assert len(table(result, metric="breakdown_c")) == len(rows)
    assert set(rows["conditions"]) == {"15 references"}
    # one winner for all seeds, so that they can be averaged
    assert rows.groupby("layer")["selected"].nunique().tolist() == [1, 1]
    assert rows["selected"].sum() == 2
    assert rows["main"].all()
    assert (rows["low"] <= rows["value"]).all()
    assert (rows["high"] >= rows["value"]).all()


def test_clip_vectors_are_averaged_over_windows_and_laid_out_by_source() -> None:
    """Of two sources only `class` in the layer `high` is informed, in the mean of two windows."""
    rng = np.random.default_rng(0)
    tracks = make_tracks()
    for split in SPLITS:
        for number, (track, _) in enumerate(tracks[split]):
            clip = rng.normal(0, 0.1, (2, 2, 2, 3))  # (windows, sources, layers, dim)
            opposite = rng.normal(0, 30, (2, 2, 3)).round()
            clip += np.stack([opposite, -opposite])
            clip[:, 0, 1] += 4 * np.eye(3)[number % 3]
            tracks[split][number] = track, Embedding(clip.astype(np.float32), None, 1.0)
    both = ProbeRun(("low", "high"), ("class", "sequence"), None, CONFIG, (0,), ROW)
    rows = table(run_cell(StubTask(), tracks, both)).set_index(["layer", "source"])
    assert rows["value"][("high", "class")] == 1
    assert rows["selected"][("high", "class")]
    assert rows["value"].drop(("high", "class")).max() < 0.9
    assert len(rows) == 4


def test_one_row_an_encoder_metric_and_seed_is_selected() -> None:
    task = StubTask("frame", decodings={"wrong": ({"by": 1},), "right": ({"by": 0},)})
    result = run_cell(task, make_tracks(), setup(seeds=(3, 4)))
    rows = pd.DataFrame(result.scores)
    selected = rows[rows["selected"]]
    assert set(selected.groupby(["metric", "seed"]).size()) == {1}
    assert len(selected) == 2 * 2
    assert set(selected["decoding"]) == {"right"}
    assert set(selected["kind"]) == {"probe"}
    chosen = result.chosen()
    assert [one.seed for one in chosen] == [3, 4]
    assert {(one.layer, one.decoding) for one in chosen} == {(selected["layer"].iloc[0], "right")}


class Partial(StubTask):
    """Scores the tracks of the class `a` alone, in one of its metrics."""

    def score(
        self, references: Sequence[Annotations], estimates: Sequence[Annotations]
    ) -> dict[str, Statistic]:
        weights = [float(reference.key == "a") for reference in references]
        found = super().score(references, estimates)
        return {**found, "breakdown_c": weighted_mean([1.0] * len(weights), weights)}


def test_n_counts_the_tracks_that_the_metric_scores() -> None:
    tracks = relabelled(make_tracks(), "test", ["a"] * 4 + ["b"] * 11)
    result = run_cell(Partial("frame"), tracks, setup())
    assert {(row.metric, row.n) for row in result.scores} == {("accuracy", 15), ("breakdown_c", 4)}


def test_bad_tracks_are_left_out_with_reasons() -> None:
    tracks = relabelled(make_tracks(), "test", ["a", "b", "c"] * 4 + ["a", "b", "x"])
    track, embedding = tracks["train"][0]
    tracks["train"][0] = replace(track, annotations=Annotations()), embedding
    result = run_cell(StubTask(), tracks, setup())
    assert set(result.problems) == {"train-0", "test-14"}
    assert "no annotation 'key'" in result.problems["train-0"]
    assert 'stub: key "x": write one of a, b, c' in result.problems["test-14"]
    assert table(result)["n"].tolist() == [14, 14]
    assert "test-14" not in result.predictions[0].tracks


@pytest.mark.parametrize("split", SPLITS)
def test_a_split_without_usable_tracks_is_refused(split: Split) -> None:
    tracks = relabelled(make_tracks(), split, ["x"] * SIZES[split])
    with pytest.raises(ConfigError, match=f"no usable track in split '{split}' .*write one of"):
        run_cell(StubTask(), tracks, setup())
    with pytest.raises(ConfigError, match=f"no usable track in split '{split}' .it is empty"):
        run_cell(StubTask(), {**tracks, split: []}, setup())


class OneShort(StubTask):
    def targets(self, annotations: Annotations, times: Floats | None) -> NDArray[Any]:
        return super().targets(annotations, times)[:-1]


def test_targets_must_be_one_a_frame() -> None:
    with pytest.raises(ConfigError, match="3 targets for 4 frames of track 'train-0'"):
        run_cell(OneShort("frame"), make_tracks(), setup())


class Undefined(StubTask):
    """The main metric of shift 0 is undefined on the validation split."""

    def score(
        self, references: Sequence[Annotations], estimates: Sequence[Annotations]
    ) -> dict[str, Statistic]:
        found = super().score(references, estimates)
        plain = [e.key == r.key for e, r in zip(estimates, references, strict=True)]
        if len(references) == SIZES["valid"] and all(plain):
            found["accuracy"] = Statistic(
                lambda counts: np.full(len(counts), np.nan), len(estimates)
            )
        return found


def test_what_validation_cannot_tell_is_chosen_last() -> None:
    task = Undefined(decodings={"shift": ({"by": 0}, {"by": 1})})
    rows = table(run_cell(task, make_tracks(), setup()))
    assert [json.loads(text) for text in rows["parameters"]] == [{"by": 1}] * 2
    informed: dict[Split, Sequence[bool]] = {**INFORMED, "valid": (True, False)}
    only = Undefined(decodings={"shift": ({"by": 0},)})
    rows = table(run_cell(only, make_tracks(informed), setup())).set_index("layer")
    assert np.isnan(rows["validation"]["low"])
    assert rows["selected"].to_dict() == {"low": False, "high": True}


@pytest.mark.parametrize("level", ["clip", "frame"])
def test_an_unusable_track_shifts_no_other(level: Any) -> None:
    """The scores are those of the same tracks without it, wherever it stands."""
    tracks = make_tracks()
    for place in (0, 4, -1):
        spoilt: Tracks = {split: list(tracks[split]) for split in SPLITS}
        fewer: Tracks = {split: list(tracks[split]) for split in SPLITS}
        for split in SPLITS:
            track, embedding = spoilt[split][place]
            spoilt[split][place] = replace(track, annotations=Annotations()), embedding
            del fewer[split][place]
        found, wanted = (run_cell(StubTask(level), own, setup()) for own in (spoilt, fewer))
        assert len(found.problems) == len(SPLITS)
        assert pd.DataFrame(found.scores).to_csv() == pd.DataFrame(wanted.scores).to_csv()
        assert list(map(asdict, found.predictions)) == list(map(asdict, wanted.predictions))
