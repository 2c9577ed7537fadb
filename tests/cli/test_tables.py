"""What commands print: aligned tables, tracks that are left out, faults of a description."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from helpers.miniatures import text
from typer.testing import CliRunner

from mirprobe.cli.app import app
from mirprobe.cli.tables import WIDTH, print_left_out, print_table
from mirprobe.evaluation.config import RunConfig
from mirprobe.evaluation.setup import make_encoders


def test_a_table_is_as_wide_as_its_columns_need(capsys: pytest.CaptureFixture[str]) -> None:
    cells = [f"{'x' * 20} {'y' * 30}", "1", "2" * 90]
    print_table(["name", "n", "long"], [cells], text=["name"], wrapped=["name"])
    header, *lines = (line.rstrip() for line in capsys.readouterr().out.splitlines())
    assert header.split() == ["name", "n", "long"]
    assert lines == [f"{'x' * 20:30}  1  {'2' * 90}", "y" * 30]
    print_table(["name", "n"], [["a", "1"]], text=["name"], wrapped=["name"])
    assert all(len(line) <= WIDTH for line in capsys.readouterr().out.splitlines())


def test_no_column_is_cut_where_two_columns_wrap(capsys: pytest.CaptureFixture[str]) -> None:
    names = ["encoder", "layer", "x" * 90]
    cells = [["energy.py:Energy", "mfcc sequence", "1"]]
    print_table(names, cells, text=names, wrapped=names[:2])
    header, *lines = (line.rstrip() for line in capsys.readouterr().out.splitlines())
    assert header.split() == names
    assert [line.split() for line in lines] == [["energy.py:Energy", "mfcc", "1"], ["sequence"]]


def test_tracks_of_one_reason_have_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_left_out({"a/1": "has no key", "a/2": "a.wav: is silent", "a/3": "has no key"})
    assert capsys.readouterr().out.splitlines() == [
        "left out: 2 tracks, such as 'a/1': has no key",
        "left out: track 'a/2': a.wav: is silent",
    ]


def test_faults_of_a_description_have_a_line_each(tmp_path: Path) -> None:
    description = tmp_path / "my.yaml"
    text(description, "audoi: here\nseed: x\n")
    result = CliRunner().invoke(app, ["data", "status", f"folder:{description}"])
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        f"error: {description}: 3 faults",
        "error: my.yaml: unknown key 'audoi'; did you mean 'audio'?",
        "error: my.yaml: 'seed' is 'x'; it takes a whole number",
        "error: my.yaml: has no 'audio'; name the folder of your audio files",
    ]
    run = CliRunner().invoke(
        app, ["run", "--encoder", "mfcc", "--dataset", f"folder:{description}"]
    )
    assert (run.exit_code, run.stderr) == (2, result.stderr)


def test_layers_that_an_encoder_lacks_are_reported(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "mirprobe"):
        found = make_encoders(RunConfig(encoders=("mfcc",), layers=("4", "8")))
        assert found["mfcc"].layers == ("mfcc",)
        make_encoders(RunConfig(encoders=("mfcc",), layers=("mfcc",)))
    assert caplog.messages == ["encoder 'mfcc': its only layer, mfcc, is used, not 4,8"]
