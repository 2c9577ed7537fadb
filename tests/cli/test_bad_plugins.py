"""A plug-in that raises anything ends every command in one line."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from mirprobe.cli.app import app

FILE = """
from helpers.tones import Tones
from mirprobe_tasks.key import Key


class PanicException(BaseException):
    pass


class Data(Tones):
    {0}
    def {1}(self, *given):
        raise PanicException("index out of bounds")


class Plain(Tones):
    pass


class Task(Key):
    @property
    def metrics(self):
        raise PanicException("index out of bounds")
"""


@pytest.mark.parametrize(
    ("member", "commands"),
    [
        ("tags", ["validate-dataset"]),
        ("vocabularies", ["validate-dataset"]),
        ("faults", ["validate-dataset", "data check"]),
        ("download", ["data prepare"]),
    ],
)
def test_data_sets(tmp_path: Path, member: str, commands: list[str]) -> None:
    sign = "" if member == "download" else "@property"
    (tmp_path / "own.py").write_text(FILE.format(sign, member))
    if member == "faults":  # without audio, `data check` ends before it asks for them
        words = ["data", "prepare", f"{tmp_path}/own.py:Data", "--cache-dir", f"{tmp_path}/c"]
        assert CliRunner().invoke(app, words).exit_code == 0
    for command in commands:
        words = [*command.split(), f"{tmp_path}/own.py:Data", "--cache-dir", f"{tmp_path}/c"]
        refuses(words, f"data set '{tmp_path}/own.py:Data' raised an error")


@pytest.mark.parametrize(
    ("command", "status"),
    [("validate-dataset", 1), ("data check", 2), ("data status", 0), ("data prepare", 2)],
)
def test_tracks_that_cannot_be_listed(tmp_path: Path, command: str, status: int) -> None:
    (tmp_path / "own.py").write_text(FILE.format("", "splits"))
    words = [*command.split(), f"{tmp_path}/own.py:Data", "--cache-dir", f"{tmp_path}/c"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == status
    said = "(PanicException: index out of bounds at own.py line 1"
    assert len([line for line in result.output.splitlines() if said in line]) == 1


def test_tasks(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(FILE.format("", "download"))
    words = ["validate-task", f"{tmp_path}/own.py:Task", "--dataset", f"{tmp_path}/own.py:Plain"]
    refuses([*words, "--cache-dir", f"{tmp_path}/c"], f"task '{tmp_path}/own.py:Task' raised an")


CLOSING = """
import os
import sys
import warnings

from helpers.small_encoders import Bands
from helpers.tones import Tones


class Data(Tones):
    pass


class Closing(Bands):
    def __init__(self):
        super().__init__()
        self.close()

    def __call__(self, audio):
        self.close()
        return super().__call__(audio)

    def close(self):
        sys.stdout.close()
        sys.stderr.close()
        sys.path.clear()
        os.environ.clear()
        os.chdir("/")
        warnings.simplefilter("error")
"""


def test_an_encoder_that_closes_and_empties_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text(CLOSING)
    words = ["--dataset", "own.py:Data", "--task", "key", "--cache-dir", "c", "--results-dir", "r"]
    encoders = ["--encoder", "own.py:Closing", "--encoder", "own.py:Bands", "--encoder", "mfcc"]
    result = CliRunner().invoke(app, ["run", *encoders, *words])
    assert result.exit_code == 0
    (scores,) = tmp_path.glob("r/*/scores.csv")
    rows = pd.read_csv(scores).query("kind == 'probe' and selected and main")
    values = rows.set_index("encoder")["value"]
    assert values["own.py:Closing"] == values["own.py:Bands"]
    assert set(values.index) == {"own.py:Closing", "own.py:Bands", "mfcc"}
    assert all(name in result.stdout for name in values.index)


def refuses(words: list[str], said: str) -> None:
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"error: {said}")
    assert re.search(r"\(PanicException: index out of bounds at own.py line \d+\); ", line)
