"""Several runs in one leaderboard."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from helpers.paths import ROOT
from helpers.saved_scores import ranks, save
from helpers.score_rows import ROW, encoders, frame

from mirprobe.core.errors import ConfigError, StorageError
from mirprobe.reporting.leaderboard import (
    leaderboard,
    merge,
    read_runs,
)
from mirprobe.reporting.ranks import mean_ranks
from mirprobe.reporting.tables import rows_of, to_markdown


def test_of_several_runs_the_later_wins_cell_by_cell(tmp_path: Path) -> None:
    beat = [replace(row, task="beat") for row in encoders(a=0.1)]
    first = save(tmp_path / "first", [*encoders(a=0.1, b=0.2), *beat])
    later = [replace(ROW, encoder="a", layer="8", value=0.9)]
    second = save(tmp_path / "second", later)
    merged = read_runs([first, second])
    assert merged[["task", "encoder", "layer", "value"]].values.tolist() == [
        ["key", "b", "12", 0.2],
        ["beat", "a", "12", 0.1],
        ["key", "a", "8", 0.9],
    ]
    assert ranks(leaderboard(read_runs([first, second]))) == {"a": 1, "b": 2}
    reverse = leaderboard(read_runs([second, first]))
    key = reverse[reverse["task"] == "key"]
    assert key[["encoder", "value"]].values.tolist() == [["b", 0.2], ["a", 0.1]]
    with pytest.raises(StorageError, match=r"third/scores.csv: no such file"):
        read_runs([first, tmp_path / "third"])


def test_weights_of_one_name_stand_side_by_side(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    prints = {"first": "a" * 32, "second": "a" * 7 + "b" * 25}
    runs = [
        save(tmp_path / name, [replace(ROW, encoder="e", value=value, fingerprint=prints[name])])
        for name, value in (("first", 0.388), ("second", 0.401))
    ]
    expected = {"e@aaaaaaaa": 0.388, "e@aaaaaaab": 0.401}
    for order in (runs, runs[::-1]):
        board = leaderboard(read_runs(order))
        assert dict(zip(board["encoder"], board["value"], strict=True)) == expected
        assert ranks(board) == {"e@aaaaaaaa": 2, "e@aaaaaaab": 1}
        assert "| e@aaaaaaab | 1.00 |" in to_markdown(board)
    assert "encoder 'e' has 2 fingerprints (aaaaaaaa, aaaaaaab)" in caplog.text
    with pytest.raises(ConfigError, match="no scores of encoder 'e'"):
        leaderboard(read_runs(runs), reference="e")


def test_fingerprints_that_begin_alike_are_told_apart() -> None:
    rows = [replace(ROW, fingerprint=f"my-encoder-v{n}") for n in (1, 2)]
    table = merge([frame([row]) for row in rows])
    assert table["encoder"].tolist() == ["one@my-encoder-v1", "one@my-encoder-v2"]


def test_scores_of_other_options_are_replaced_with_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    again = [frame([replace(ROW, value=value)]) for value in (0.1, 0.2)]
    assert merge(again)["value"].tolist() == [0.2]
    assert not caplog.text
    merge([*again, frame([replace(ROW, cell="of other seeds")])])
    assert "encoder 'one' on task 'key': two runs have scores of different options" in caplog.text


def test_other_data_are_ranked_apart_and_never_averaged(caplog: pytest.LogCaptureFixture) -> None:
    """The same ids with other labels, and the same task on fewer tracks."""
    chord = [replace(row, task="chord") for row in encoders(a=0.9, b=0.8)]
    one = [replace(row, data="d" * 16) for row in encoders(a=1.0, b=0.9)]
    other = [replace(row, data="e" * 16, n=30) for row in encoders(a=0.3, b=0.5)]
    board = leaderboard(merge([frame([*one, *chord]), frame(other)]))
    key = board[board["task"] == "key"].set_index(["data", "encoder"])["rank"]
    assert key.to_dict() == {
        ("d" * 16, "a"): 1,
        ("d" * 16, "b"): 2,
        ("e" * 16, "b"): 1,
        ("e" * 16, "a"): 2,
    }
    assert mean_ranks(board) == {"a": "1.00", "b": "2.00"}  # of chord alone
    assert "key on studio: the runs differ in tracks, audio" in caplog.text
    titles = [title for title, _, _ in rows_of(board)]
    assert [title.rpartition(", ")[0] for title in titles] == [
        "key on studio, data dddddddd",
        "key on studio, data eeeeeeee",
        "chord on studio",
    ]
    assert titles[0].endswith(", 72 test tracks")
    assert "### key on studio, data eeeeeeee\n\n`mirex` on 30 test tracks" in to_markdown(board)


def test_runs_of_earlier_versions_are_read_beside_new_ones() -> None:
    table = read_runs([ROOT / "results" / "reference" / "studio-960"])
    dataset = table["dataset"].iloc[0]
    assert set(table["data"]) == {""}
    board = leaderboard(table)
    assert len(mean_ranks(board)) == 5
    now = merge([table, frame([replace(ROW, dataset=dataset, data="d" * 16)])])
    titles = [title for title, _, _ in rows_of(leaderboard(now))]
    expected = {f"key on {dataset}, data unknown", f"key on {dataset}, data dddddddd"}
    assert expected <= {title.rpartition(", ")[0] for title in titles}
