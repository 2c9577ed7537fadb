from __future__ import annotations

import json
import warnings
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.score_rows import NAN
from helpers.stored_cells import CELL, INFO, PROBE

from mirprobe.api.encoder import INFO_COLUMNS
from mirprobe.core.errors import StorageError
from mirprobe.core.schema import Score
from mirprobe.probing.results import Cell
from mirprobe.reporting.run_folder import RunFolder
from mirprobe.reporting.run_tables import (
    COLUMNS,
    DIFFERENCES,
    read_differences,
    read_scores,
    verify,
)


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path / "results" / "run")


def test_a_file_in_the_folders_place(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("in the way")
    folder = RunFolder(tmp_path / "results" / "run")
    assert folder.read_cell("e", "key", "k") is None
    for attempt in (
        folder.make,
        lambda: folder.write_cell(CELL),
        lambda: folder.write_scores([], {}),
        lambda: folder.write_run({}),
    ):
        with pytest.raises(StorageError, match="name another folder") as caught:
            attempt()
        assert str(tmp_path / "results" / "run") in str(caught.value)
        assert "\n" not in str(caught.value)


def test_make_creates_the_folder_and_leaves_what_is_there(folder: RunFolder) -> None:
    folder.make()
    folder.write_cell(CELL)
    folder.make()
    assert folder.read_cell("e", "key", "k") is not None


def test_scores_are_one_row_a_score_and_come_back(folder: RunFolder) -> None:
    cell = folder.write_cell(CELL)
    table = folder.write_scores([cell, cell], INFO)
    assert list(table.columns) == COLUMNS
    assert [*(field.name for field in fields(Score)), *INFO_COLUMNS] == COLUMNS
    assert len(table) == 4
    found = read_scores(folder.path)
    assert found.pop("speed").isna().all()
    pd.testing.assert_frame_equal(found, table, check_exact=False, rtol=1e-5)
    assert found["selected"].dtype == bool
    assert found["layer"].tolist() == ["12", "", "12", ""]
    assert found["learning_rate"].isna().tolist() == [False, True] * 2
    assert found["supervised"].tolist() == ["key tempo"] * 4
    assert "7087488" in (folder.path / "scores.csv").read_text()


def test_no_cells_are_a_table_with_headers_alone(folder: RunFolder) -> None:
    folder.write_scores([], {})
    found = read_scores(folder.path)
    assert list(found.columns) == [*COLUMNS, "speed"]
    assert not len(found)


def test_the_speed_of_encoders_comes_from_the_description_of_the_run(folder: RunFolder) -> None:
    cell = folder.write_cell(CELL)
    folder.write_scores([cell], INFO)
    for said, known in (({"speed": 31.5}, 31.5), ({"speed": None}, NAN), ({}, NAN)):
        folder.write_run({"encoders": {PROBE.encoder: said}})
        assert read_scores(folder.path)["speed"].equals(pd.Series([known] * 2))
    for content in ("{", "[]", '{"encoders": {"e": {"speed": "fast"}}}', "{}"):
        (folder.path / "run.json").write_text(content)
        with pytest.raises(StorageError, match=r"run.json: damaged .*; delete it and run again"):
            read_scores(folder.path)


@pytest.mark.parametrize(
    "text", ["0012345678901234", "12345678901e2345", "1e5", "NA", "None", "nan"]
)
def test_text_is_never_taken_for_a_number_or_for_missing(text: str, folder: RunFolder) -> None:
    named = replace(PROBE, encoder=text, layer=text, splits=text, fingerprint=text, cell=text)
    cell = folder.write_cell(Cell("k", "e", "key", [named]))
    folder.write_scores([cell], {text: INFO[PROBE.encoder]})
    (row,) = read_scores(folder.path).to_dict("records")
    for name in ("encoder", "layer", "splits", "fingerprint", "cell"):
        assert row[name] == text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a table of scores"),
        (b'a,"b\n1,2', "lacks the columns encoder, task,|not a table of scores"),
        (b"\xff\xfe\x00", "not a table of scores|lacks the columns"),
        (b"encoder,task\nx,y\n", "lacks the columns dataset, kind, "),
    ],
)
def test_what_is_no_table_of_scores_is_named(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "scores.csv").write_bytes(content)
    with pytest.raises(StorageError, match=f"scores.csv: ({message})") as caught:
        read_scores(tmp_path)
    assert "run again" in str(caught.value)


def test_a_value_that_is_no_number_is_named(folder: RunFolder) -> None:
    folder.write_scores([folder.write_cell(CELL)], INFO)
    path = folder.path / "scores.csv"
    path.write_text(path.read_text().replace("0.25,0.75", "low,high"))
    with pytest.raises(StorageError, match=r"scores.csv: not a table of scores .*'low'"):
        read_scores(folder.path)


@pytest.mark.parametrize("wrong", ["1.5", "9" * 400, "x", "1e400"])
def test_a_value_that_is_no_whole_number_is_named(folder: RunFolder, wrong: str) -> None:
    folder.write_scores([folder.write_cell(CELL)], INFO)
    path = folder.path / "scores.csv"
    path.write_text(path.read_text().replace("7087488", wrong))
    with pytest.raises(StorageError, match=r"scores.csv: not a table of scores"):
        read_scores(folder.path)


def test_numbers_are_read_exactly(folder: RunFolder) -> None:
    folder.write_scores([folder.write_cell(CELL)], INFO)
    path = folder.path / "scores.csv"
    row = pd.read_csv(path, dtype=str, keep_default_na=False).iloc[:1]
    values = np.random.default_rng(0).normal(size=1000) * 10.0 ** np.arange(-20, 20).repeat(25)
    table = pd.concat([row] * 1000).assign(value=[repr(float(value)) for value in values], low="")
    path.write_text(table.to_csv(index=False))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = read_scores(folder.path)
    np.testing.assert_array_equal(found["value"], values)
    assert found["low"].isna().all()
    path.write_text(table.iloc[:0].to_csv(index=False))
    assert read_scores(folder.path)["value"].dtype == "float64"


def test_an_infinite_whole_number_is_named(folder: RunFolder) -> None:
    folder.write_scores([folder.write_cell(CELL)], INFO)
    path = folder.path / "scores.csv"
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    path.write_text(table.assign(n="1e400").to_csv(index=False))
    with pytest.raises(StorageError, match=r"scores.csv: not a table of scores"):
        read_scores(folder.path)


def test_a_folder_that_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"nowhere/scores.csv: no such file; name the folder"):
        read_scores(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"file/scores.csv: no such file; name the folder"):
        read_scores(tmp_path / "file")
    (tmp_path / "run" / "scores.csv").mkdir(parents=True)
    with pytest.raises(StorageError, match=r"scores.csv: not a table"):
        read_scores(tmp_path / "run")


def test_the_description_is_json(folder: RunFolder) -> None:
    folder.write_run({"config": {"seeds": [0]}})
    assert json.loads((folder.path / "run.json").read_text()) == {"config": {"seeds": [0]}}


def test_files_changed_after_the_run_are_refused_until_it_runs_again(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.make()
    folder.write_scores([CELL], INFO)
    folder.write_run({"encoders": {}})
    folder.write_differences(pd.DataFrame(columns=DIFFERENCES))
    folder.write_cell(CELL)
    folder.write_sums()
    lines = (tmp_path / "SHA256SUMS").read_text().splitlines()
    assert [line.split("  ")[1] for line in lines] == [
        "differences.csv",
        f"predictions/{folder.cell_path(CELL.encoder, CELL.task).name}",
        "run.json",
        "scores.csv",
    ]
    before = read_scores(tmp_path)
    scores = tmp_path / "scores.csv"
    scores.write_text(scores.read_text().replace("0.25", "0.35"))
    with pytest.raises(StorageError, match=r"scores\.csv: was changed after the run.*run again"):
        read_scores(tmp_path)
    folder.write_scores([CELL], INFO)
    pd.testing.assert_frame_equal(read_scores(tmp_path), before)
    (tmp_path / "differences.csv").write_text("task\n")
    with pytest.raises(StorageError, match=r"differences\.csv: was changed after the run"):
        read_differences(tmp_path)
    folder.make()
    assert not (tmp_path / "differences.csv").exists()
    assert not (tmp_path / "SHA256SUMS").exists()
    verify(tmp_path, "scores.csv")  # no sums, nothing to compare
