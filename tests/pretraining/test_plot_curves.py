"""The figure of trainings."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from mirprobe.cli.app import app

TRAINING = "step,loss,ntxent\n10,4.0,2.0\n20,3.0,1.5\n"
RETRIEVAL = "step,embedding,top1,mrr,queries,segments\n0,logmel,.1,.2,9,9\n20,model,.3,.4,9,9\n"


def run(folder: Path) -> Path:
    folder.mkdir()
    (folder / "training.csv").write_text(TRAINING)
    (folder / "retrieval.csv").write_text(RETRIEVAL)
    return folder


def curves(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["pretrain", "curves", *map(str, arguments)])
    return result.exit_code, result.output


def test_a_figure_names_its_trainings(tmp_path: Path) -> None:
    output = tmp_path / "curves.svg"
    code, text = curves(run(tmp_path / "first"), run(tmp_path / "second"), "-o", output)
    assert (code, text) == (0, f"{output}\n")
    drawn = output.read_text()
    assert all(f"<!-- {label} -->" in drawn for label in ("first", "second", "mean log-mel"))


@pytest.mark.parametrize(
    ("name", "output", "wanted"),
    [("gone", "a.svg", "no logs of a training"), ("here", "a.jpg", "end it in .png, .svg")],
)
def test_one_line_for_what_cannot_be_drawn(
    tmp_path: Path, name: str, output: str, wanted: str
) -> None:
    run(tmp_path / "here")
    code, text = curves(tmp_path / name, "-o", tmp_path / output)
    assert code == 2
    assert wanted in text
    assert len(text.strip().splitlines()) == 1
    assert not (tmp_path / output).exists()
