"""The README's Python blocks run as they stand."""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from helpers.paths import ROOT

README = ROOT / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


ENCODER, TASK = BLOCKS
COMMANDS = re.findall(r"```sh\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)[0]


def test_there_is_a_block_for_an_encoder_and_one_for_a_task() -> None:
    assert "class Energy:" in ENCODER
    assert "register_task" in TASK


@pytest.mark.parametrize("block", BLOCKS, ids=("encoder", "task"))
def test_the_class_takes_under_15_lines(block: str) -> None:
    body = re.split("\n(?=@|class)", block)[1].partition("\nscores =")[0]
    lines = [line for line in body.splitlines() if line.strip()]
    assert len(lines) < 15


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One working directory, so that the blocks share what is rendered."""
    return tmp_path_factory.mktemp("readme")


def test_the_encoder_is_checked_and_scored(folder: Path) -> None:
    (folder / "energy.py").write_text(ENCODER)
    outputs = []
    for command in COMMANDS.splitlines():
        program, *arguments = command.split()
        done = subprocess.run(
            [Path(sysconfig.get_path("scripts")) / program, *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        outputs.append(done.stdout)
    validated, scored = outputs
    assert "0 failed" in validated.splitlines()[-1]
    assert "energy.py:Energy" in scored
    assert "mfcc" in scored


def test_the_task_runs(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", TASK], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "chance" in done.stdout.splitlines()[0]
    assert "mfcc" in done.stdout
    assert list(folder.glob("results/*/scores.csv"))
