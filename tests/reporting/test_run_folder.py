from __future__ import annotations

import gzip
import json
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.paths import ROOT
from helpers.score_rows import NAN, ROW

from mirprobe.api.encoder import INFO_COLUMNS
from mirprobe.core.annotations import to_json
from mirprobe.core.errors import StorageError
from mirprobe.core.schema import Annotations, Score, Segments
from mirprobe.probing.results import Cell, Prediction
from mirprobe.reporting.cell_file import cell_bytes, read_cell
from mirprobe.reporting.run_folder import RunFolder
from mirprobe.reporting.run_tables import (
    COLUMNS,
    DIFFERENCES,
    read_differences,
    read_scores,
    verify,
)

PROBE = replace(
    ROW,
    encoder="vit1d-random:seed=1,config=vit1d-rope",
    decoding="viterbi",
    parameters='{"self_transition": 0.9}',
    learning_rate=0.003,
    value=0.1 + 0.2,
    low=0.25,
    high=0.75,
    conditions="trim=5.0",
    weight_decay=0.01,
    steps=120,
    converged=True,
    edge="training,jump_cost",
    fixed="middle,last",
    wins=0.61,
)
INFO = {
    PROBE.encoder: dict(
        zip(INFO_COLUMNS, (7_087_488, 192, 31.25, "MIT", "key tempo", ""), strict=True)
    )
}
CHANCE = replace(
    PROBE,
    kind="chance",
    layer="",
    source="",
    learning_rate=NAN,
    weight_decay=NAN,
    conditions="",
    fixed="",
    wins=NAN,
)
ESTIMATE = Annotations(chords=Segments(np.array([[0.0, 1.5]]), ("C:maj",)), tags={"rock": 0.5})
PREDICTION = Prediction(
    kind="probe",
    layer="12",
    source="sequence",
    decoding="viterbi",
    parameters='{"self_transition": 0.9}',
    learning_rate=0.003,
    seed=0,
    selected=True,
    tracks={"one": Annotations(key="C major"), "three": ESTIMATE},
)
CELL = Cell(
    key="k",
    encoder="e",
    task="key",
    scores=[PROBE, CHANCE],
    predictions=[PREDICTION],
    problems={"two": "is silent"},
)


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path / "results" / "run")


def test_encoders_whose_names_are_alike_have_files_of_their_own(folder: RunFolder) -> None:
    names = ["vit1d:checkpoint=run/a.safetensors", "vit1d:checkpoint=run_a.safetensors"]
    assert len({folder.cell_path(name, "key") for name in names}) == 2


def test_a_cell_comes_back_as_it_was_written(folder: RunFolder) -> None:
    named = replace(CELL, encoder=PROBE.encoder)
    written = folder.write_cell(named)
    found = folder.read_cell(PROBE.encoder, "key", "k")
    assert found is not None
    for cell in (written, found):
        assert isinstance(cell, Cell)
        assert cell.problems == CELL.problems
        assert cell.scores[0] == PROBE
        assert np.isnan(cell.scores[1].learning_rate)
        pair = (cell.scores[1], CHANCE)
        same, wanted = (replace(one, learning_rate=0.0, weight_decay=0.0, wins=0.0) for one in pair)
        assert same == wanted
        (one,) = cell.predictions
        assert repr(replace(one, tracks={})) == repr(replace(PREDICTION, tracks={}))
        assert list(one.tracks) == ["one", "three"]
        for track, estimate in one.tracks.items():
            assert to_json(estimate) == to_json(PREDICTION.tracks[track])
    assert [path.name for path in folder.path.rglob("*.json.gz")] == [
        "vit1d-random_seed=1_config=vit1d-rope__key.json.gz"
    ]


def test_predictions_can_be_read_when_they_are_used(folder: RunFolder, tmp_path: Path) -> None:
    marks = ',"predictions":["a"],"problems":{"b":1}'
    odd = replace(
        CELL,
        scores=[replace(PROBE, parameters=marks)],
        predictions=[
            replace(PREDICTION, tracks={marks: Annotations(extra={"problems": {"c": 1}})})
        ],
        problems={"problems": marks, marks: "{"},
    )
    for cell in (CELL, odd, replace(CELL, predictions=[], problems={})):
        folder.write_cell(cell)
        path = folder.cell_path("e", "key")
        later = read_cell(path, lazily=True)
        assert later.problems == read_cell(path).problems == cell.problems
        assert later.scores[0] == cell.scores[0]
        assert cell_bytes(later) == path.read_bytes()
    (tmp_path / "bad.gz").write_bytes(
        gzip.compress(
            b'{"key":"k","encoder":"e","task":"t","scores":[],"predictions":[{}],"problems":{}}'
        )
    )
    with pytest.raises(StorageError, match=r"bad\.gz: damaged"):
        len(read_cell(tmp_path / "bad.gz", lazily=True).predictions)


def test_cells_of_earlier_versions_are_read() -> None:
    paths = sorted(
        (ROOT / "results" / "reference" / "studio-960" / "predictions").glob("*.json.gz")
    )
    assert paths
    for path in paths[:3]:
        cell = read_cell(path)
        assert cell.scores
        assert cell.predictions
        assert {score.task for score in cell.scores} == {cell.task}


def test_equal_cells_are_equal_files(folder: RunFolder, tmp_path: Path) -> None:
    other = RunFolder(tmp_path / "other")
    for one in (folder, other):
        one.write_cell(CELL)
    assert folder.cell_path("e", "key").read_bytes() == other.cell_path("e", "key").read_bytes()


def test_a_cell_of_another_key_or_name_is_not_found(folder: RunFolder) -> None:
    folder.write_cell(CELL)
    assert folder.read_cell("e", "key", "other") is None
    assert folder.read_cell("e", "beat", "k") is None
    assert folder.read_cell("f", "key", "k") is None


def damaged(content: bytes) -> dict[str, bytes]:
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 0xFF
    return {
        "cut": content[: len(content) // 2],
        "empty": b"",
        "flipped": bytes(flipped),
        "not gzip": b"hello",
        "header alone": content[:10],
        "bad stream": content[:10] + b"\xff" * 40,
        "not JSON": gzip.compress(b"{"),
        "not text": gzip.compress(b"\xff\xfe"),
        "not a cell": gzip.compress(b"[1]"),
        "too deep": gzip.compress(b"[" * 100_000),
        "no key": gzip.compress(b"{}"),
        "no score": gzip.compress(
            b'{"key":"k","encoder":"e","task":"t","scores":[{}],"predictions":[],"problems":{}}'
        ),
    }


@pytest.mark.parametrize("how", damaged(b"0123456789"))
def test_a_damaged_cell_is_computed_again(how: str, folder: RunFolder) -> None:
    folder.write_cell(CELL)
    path = folder.cell_path("e", "key")
    path.write_bytes(damaged(path.read_bytes())[how])
    assert folder.read_cell("e", "key", "k") is None
    with pytest.raises(StorageError, match=r"e__key.json.gz: damaged .*; delete it"):
        read_cell(path)
    folder.write_cell(CELL)
    assert folder.read_cell("e", "key", "k") is not None


def test_a_missing_cell_says_so(folder: RunFolder) -> None:
    with pytest.raises(FileNotFoundError):
        read_cell(folder.cell_path("e", "key"))


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
