"""Subsets of the training split in a whole run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from helpers.small_encoders import Bands
from helpers.tones import Tones
from helpers.workbench import Workbench

from mirprobe.core.errors import ConfigError
from mirprobe.evaluation.config import make_config
from mirprobe.reporting.leaderboard import leaderboard


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return Workbench(tmp_path, Tones(tmp_path / "audio"))


def test_a_run_with_subsets_has_the_same_leaderboard(bench: Workbench) -> None:
    plain = bench.run(Bands(), tasks=("tagging",))
    few = bench.run(Bands(), tasks=("tagging",), train_tracks="4,8,all", repeats=2)
    assert few.folder.path != plain.folder.path
    rows = few.scores[few.scores["kind"] == "few"]
    assert rows["subset"].tolist() == ["4", "8"] * 2
    assert rows["resample"].tolist() == [0, 0, 1, 1]
    assert rows["n"].tolist() == [6] * 4
    one, other = (leaderboard(result.scores) for result in (plain, few))
    assert one.drop(columns="cell").equals(other.drop(columns="cell"))
    again = bench.run(Bands(), tasks=("tagging",), train_tracks=["4", "8"], repeats=2)
    assert again.computed == 0


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"train_tracks": "13"}, "train_tracks is 13, and the training split has 12 tracks"),
        ({"train_tracks": "11"}, "train_tracks is 11, and the training tracks have 12 classes of"),
        ({"readings": "retrieval", "tasks": ("beat",)}, "no task of the run has the reading 'retr"),
        ({"shots": "2"}, "shots is 2, and the number of training tracks of class 'C "),
    ],
)
def test_refused_before_any_work(bench: Workbench, options: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError) as caught:
        bench.run(Bands(), **{"tasks": ("key",), **options})
    assert str(caught.value).startswith(why)
    assert not bench.root.joinpath("results").exists()
    assert not bench.root.joinpath("audio").exists()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"train_tracks": "ten"}, "train_tracks is 'ten'; give whole numbers of at least 1 or"),
        ({"train_tracks": [0, "all"]}, "train_tracks is '0'; give whole numbers"),
        ({"shots": "all"}, "shots is 'all'; give whole numbers of at least 1"),
        ({"shots": 5, "folds": 2}, "train_tracks and shots need the splits of the data set"),
        ({"readings": "codes"}, "unknown reading 'codes'; did you mean 'code'?"),
        ({"repeats": 0}, "repeats is 0; it must be at least 1"),
        ({"valid_tracks": "some"}, "unknown valid_tracks 'some'"),
    ],
)
def test_options_that_are_refused(options: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make_config(options)
    assert str(caught.value).startswith(why)
