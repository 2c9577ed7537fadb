"""Poolings over time and attentive probes in a whole run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from helpers.small_encoders import Bands, Summary
from helpers.tones import Tones
from helpers.workbench import Workbench

from mirprobe.core.errors import ConfigError
from mirprobe.evaluation.config import make_config
from mirprobe.reporting.leaderboard import leaderboard
from mirprobe.reporting.tables import notes_of


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return Workbench(tmp_path, Tones(tmp_path / "audio"))


def test_poolings_are_sources_beside_those_of_the_encoder(bench: Workbench) -> None:
    plain = bench.run(Bands(), tasks=("tagging",))
    result = bench.run(Bands(), tasks=("tagging", "beat"), pooling=["max", "mean", "mean+std"])
    assert not result.failures
    rows = result.scores[result.scores["kind"].eq("probe") & result.scores["main"]]
    clips, frames = (rows[rows["task"] == task] for task in ("tagging", "beat"))
    assert dict.fromkeys(clips["source"]) == dict.fromkeys(["sequence", "mean+std", "max"])
    assert set(clips["probe"]) == {"linear mean,mean+std,max"}
    assert set(frames["probe"]) == {"linear"}
    same = plain.scores[plain.scores["kind"].eq("probe") & plain.scores["main"]]
    own = clips[clips["source"] == "sequence"]
    assert own["value"].tolist() == pytest.approx(same["value"].tolist(), abs=1e-6)
    only = bench.run(Bands(), tasks=("tagging",), pooling="max")
    assert set(only.scores.loc[only.scores["kind"] == "probe", "source"]) == {"max"}


def test_attentive_probes_have_selection_controls_and_curves(bench: Workbench) -> None:
    result = bench.run(Bands(), tasks=("tagging",), probe="attentive", train_tracks="6")
    assert not result.failures
    rows = result.scores[result.scores["main"]]
    assert set(rows["kind"]) == {"probe", "shuffled", "chance", "few", "few-shuffled"}
    assert set(rows.loc[rows["kind"] == "probe", "source"]) == {"attention"}
    [row] = rows[rows["selected"]].to_dict("records")
    assert (row["layer"], row["value"]) == ("bands", 1.0)
    assert any("all frames of a track" in note for note in notes_of(leaderboard(result.scores)))


@pytest.mark.parametrize("options", [{"probe": "attentive"}, {"pooling": "mean,max"}])
def test_an_encoder_without_frames(bench: Workbench, options: dict[str, Any]) -> None:
    result = bench.run(Summary(), tasks=("tagging",), **options)
    [why] = result.failures.values()
    assert f"{options.get('probe', 'linear')}" in why
    assert "probe of task 'tagging' needs frames, and encoder 'Summary' has none" in why


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"probe": "attentive", "tasks": ("key", "beat")}, "probe 'attentive' reads whole tracks"),
        ({"pooling": "max", "tasks": ("beat",)}, "pooling is of tasks of clips"),
    ],
)
def test_refused_before_any_work(bench: Workbench, options: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        bench.run(Bands(), **options)
    assert not bench.root.joinpath("audio").exists()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"pooling": "men"}, "unknown pooling 'men'; did you mean 'mean'"),
        ({"pooling": []}, "'pooling' is empty; name at least one"),
        ({"pooling": "max", "probe": "attentive"}, "learns its own pooling; drop pooling"),
        ({"readings": "retrieval", "probe": "attentive"}, "reading 'retrieval' needs one vector"),
    ],
)
def test_options_that_are_refused(options: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        make_config(options)
