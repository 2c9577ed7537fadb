"""Files of cells."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.paths import ROOT
from helpers.stored_cells import CELL, CHANCE, PREDICTION, PROBE

from mirprobe.core.annotations import to_json
from mirprobe.core.errors import StorageError
from mirprobe.core.schema import Annotations
from mirprobe.probing.results import Cell
from mirprobe.reporting.cell_file import cell_bytes, read_cell
from mirprobe.reporting.run_folder import RunFolder


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
