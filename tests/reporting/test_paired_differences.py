from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.score_rows import ROW, frame
from helpers.small_encoders import Bands, Summary
from helpers.tones import Tones
from helpers.workbench import QUICK, Workbench

from mirprobe.core.bootstrap import weighted_mean
from mirprobe.core.confidence_intervals import Estimate, jackknife
from mirprobe.core.errors import ConfigError, StorageError
from mirprobe.core.schema import Annotations, Track
from mirprobe.probing import probes
from mirprobe.probing.results import Cell, Prediction
from mirprobe.reporting.leaderboard import leaderboard, read_pairs, read_runs
from mirprobe.reporting.paired_differences import differences
from mirprobe.reporting.run_folder import RunFolder
from mirprobe.reporting.run_tables import DIFFERENCES, read_differences
from mirprobe.reporting.tables import to_markdown
from mirprobe_tasks.key import Key

TRACKS = [f"{number:03d}" for number in range(60)]
TRUTH = {
    track: Track(track, Path(), f"artist {track}", Annotations(key="C major")) for track in TRACKS
}


class Exact(Key):
    """Right keys, counted."""

    main_metric = "accuracy"


def cell(
    encoder: str, *draws: list[bool], decoding: str = "argmax", valid: float = 0.5, drop: int = 0
) -> Cell:
    """A finished cell, with the tracks that are right in each seed's prediction.

    The first `drop` tracks are without a prediction.
    """
    row = replace(ROW, encoder=encoder, decoding=decoding, validation=valid, metric="accuracy")
    keys = [["C major" if right else "F# minor" for right in draw] for draw in draws]
    predictions = [
        Prediction(
            kind="probe",
            layer="12",
            source="sequence",
            decoding=decoding,
            parameters="{}",
            learning_rate=1e-3,
            seed=seed,
            selected=True,
            tracks={
                track: Annotations(key=name)
                for track, name in list(zip(TRACKS, own, strict=True))[drop:]
            },
        )
        for seed, own in enumerate(keys)
    ]
    scores = [replace(row, seed=seed) for seed in range(len(draws))]
    return Cell(f"key of {encoder}", encoder, "key", scores, predictions)


def hits(seed: int, rate: float) -> list[bool]:
    return [draw < rate for draw in np.random.default_rng(seed).random(len(TRACKS))]


@pytest.fixture
def task(tones: Tones) -> Exact:
    return Exact(tones)


def estimate(values: list[bool]) -> Estimate:
    return jackknife(weighted_mean(values), TRACKS)


def test_a_difference_is_that_of_the_pairs_of_tracks(task: Exact) -> None:
    one, other = hits(0, 0.7), hits(1, 0.5)
    table = differences([cell("a", one), cell("b", other)], {"key": task}, TRUTH)
    expected = (estimate(one) - estimate(other)).interval
    low, high = expected.low, expected.high
    first, second = table.to_dict("records")
    assert (first["encoder"], first["reference"], first["n"]) == ("a", "b", 60)
    assert first["difference"] == pytest.approx(np.mean(one) - np.mean(other))
    assert (first["groups"], first["interval"]) == (60, expected.text)
    assert expected.text == "newcombe over test tracks of these fitted probes"
    assert (first["low"], first["high"]) == pytest.approx((low, high))
    assert second["difference"] == -first["difference"]
    assert (second["low"], second["high"]) == pytest.approx((-high, -low))


def test_what_both_find_hard_cancels_out(task: Exact) -> None:
    one = hits(0, 0.5)
    other = [right and place > 14 for place, right in enumerate(one)]  # worse in a few tracks
    row = differences([cell("a", one), cell("b", other)], {"key": task}, TRUTH).iloc[0]
    alone = estimate(one).interval
    assert row["high"] - row["low"] < 0.8 * (alone.high - alone.low)
    assert row["low"] > 0
    same = differences([cell("a", one), cell("b", one)], {"key": task}, TRUTH).iloc[0]
    assert same["difference"] == 0
    assert -0.05 < same["low"] <= 0 <= same["high"] < 0.05
    assert same["p"] == 1


def test_seeds_are_averaged_and_validation_chooses_the_decoding(task: Exact) -> None:
    good, bad = [True] * 60, [False] * 60
    mixed, none = cell("a", good, bad), cell("b", bad)
    better = cell("a", good, decoding="other", valid=0.4)
    mixed.scores += better.scores
    mixed.predictions += better.predictions
    table = differences([mixed, none], {"key": task}, TRUTH)
    own, pairs = table[table["reference"] == ""], table[table["reference"] == "b"]
    assert own["metric"].tolist() == list(task.metrics)
    assert set(own["interval"]) == {"hierarchical over test tracks, seeds"}
    assert pairs["difference"].tolist() == [0.5]
    mixed.scores[-1] = replace(mixed.scores[-1], validation=0.6)
    assert differences([mixed, none], {"key": task}, TRUTH)["difference"].iloc[0] == 1


def test_tracks_of_a_group_are_resampled_together(task: Exact) -> None:
    twice = hits(0, 0.7)[:30] * 2
    albums = {name: replace(one, group=str(int(name) % 30)) for name, one in TRUTH.items()}
    cells = [cell("a", twice), cell("b", [not right for right in twice])]
    alone, grouped = (
        differences(cells, {"key": task}, tracks).iloc[0] for tracks in (TRUTH, albums)
    )
    assert (grouped["n"], grouped["groups"]) == (60, 30)
    assert grouped["high"] - grouped["low"] > 1.3 * (alone["high"] - alone["low"])
    assert grouped["interval"] == "studentised over test groups of these fitted probes"


def test_an_incomplete_grid_of_probes_is_refused(task: Exact) -> None:
    several = cell("a", hits(0, 0.5), hits(1, 0.5), hits(2, 0.5))
    several.predictions[1:] = [replace(one, draw=1) for one in several.predictions[1:]]
    several.scores[1:] = [replace(one, draw=1) for one in several.scores[1:]]
    with pytest.raises(ConfigError, match="a x key: 3 fitted probes are not a grid of 1 resamples"):
        differences([several], {"key": task}, TRUTH)


def test_tracks_that_one_could_not_be_scored_on_are_left_out(task: Exact) -> None:
    one = cell("a", [True] * 60)
    other = cell("b", [False] * 30 + [True] * 30, drop=30)
    row = differences([one, other], {"key": task}, TRUTH).iloc[0]
    assert (row["difference"], row["n"]) == (0, 30)
    assert differences([one], {"key": task}, TRUTH).empty


def test_a_difference_stands_beside_its_own_interval() -> None:
    scores = frame([replace(ROW, encoder=name, value=v) for name, v in (("a", 0.7), ("b", 0.6))])
    told = {"encoder": "a", "reference": "b", "difference": 0.02, "low": -0.01, "high": 0.05}
    cells = {"cell": ROW.cell, "reference_cell": ROW.cell}
    row = {
        "task": ROW.task,
        "metric": ROW.metric,
        "n": 60,
        **told,
        **cells,
        "interval": "x",
        "p": 0.5,
    }
    board = leaderboard(scores, "b", pd.DataFrame([row], columns=DIFFERENCES))
    assert board["difference"].tolist()[0] == 0.02  # of the tracks that both were scored on


def test_a_run_writes_them_and_a_leaderboard_shows_them(
    tmp_path: Path, tones: Tones, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(probes.PRESETS, "standard", QUICK)
    bench = Workbench(tmp_path, tones)
    folder = bench.run(Bands(), Summary(), tasks=("key",)).folder.path
    table = read_differences(folder)
    assert len(table) == 2
    board = leaderboard(read_runs([folder]), "Summary", read_pairs([folder, folder]))
    found = board[board["main"]].set_index("encoder")
    row = table[table["encoder"] == "Bands"].iloc[0]
    assert found.loc["Bands", "difference"] == pytest.approx(row["difference"], abs=1e-5)
    assert found.loc["Bands", "difference_low"] == row["low"]
    assert found["difference_low"].isna().to_dict() == {"Bands": False, "Summary": True}
    assert f"{row['low']:+.3f} to {row['high']:+.3f}" in to_markdown(board)
    assert "nan" not in to_markdown(board)
    (folder / "differences.csv").unlink()
    assert len(read_differences(folder)) == 0
    bench.run(Bands(), Summary(), tasks=("key",))  # finished: the differences alone are made again
    pd.testing.assert_frame_equal(read_differences(folder), table)


def test_a_damaged_table_is_named(tmp_path: Path) -> None:
    path = tmp_path / "differences.csv"
    for content in ("task,encoder\nkey,a\n", ",".join(DIFFERENCES) + "\n" + "x," * 12 + "x\n", ""):
        path.write_text(content)
        with pytest.raises(StorageError, match=r"differences\.csv: not a table of differences"):
            read_differences(tmp_path)


def test_rows_of_other_cells_get_no_interval() -> None:
    scores = frame([replace(ROW, encoder=name, cell=f"now {name}") for name in "ab"])
    stale = pd.DataFrame(
        [["key", "mirex", "a", "b", 0.1, 0.0, 0.2, 72, "then a", "now b", 72, "", 0.04]],
        columns=DIFFERENCES,
    )
    board = leaderboard(scores, "b", stale)
    assert board["difference_low"].isna().all()


def test_an_empty_table_keeps_its_columns(tmp_path: Path) -> None:
    RunFolder(tmp_path).write_differences(pd.DataFrame(columns=DIFFERENCES))
    assert list(read_differences(tmp_path).columns) == DIFFERENCES
