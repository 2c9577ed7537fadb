"""The README's Python blocks run as they stand."""

from __future__ import annotations

import re
import subprocess
import sysconfig
from pathlib import Path

import pytest
from helpers.paths import ROOT

README = ROOT / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


ENCODER, TASK, DATASET = BLOCKS
COMMANDS = re.findall(r"```sh\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


def test_there_is_a_block_for_an_encoder_a_task_and_a_data_set() -> None:
    assert "class Energy:" in ENCODER
    assert "class Mode:" in TASK
    assert "class Tones:" in DATASET


@pytest.mark.parametrize(("block", "most"), [(ENCODER, 15), (TASK, 15), (DATASET, 22)])
def test_the_class_is_short(block: str, most: int) -> None:
    body = re.split("\n(?=class)", block)[1]
    lines = [line for line in body.splitlines() if line.strip()]
    assert len(lines) <= most


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One working directory, so that the blocks share what is rendered."""
    return tmp_path_factory.mktemp("readme")


@pytest.mark.parametrize(
    ("file", "block", "commands", "shown"),
    [
        ("energy.py", ENCODER, COMMANDS[0], {"energy.py:Energy", "mfcc"}),
        ("mode.py", TASK, COMMANDS[1], {"mode.py:Mode", "mfcc", "chance"}),
        ("tones.py", DATASET, COMMANDS[2], {"tones.py:Tones", "chroma"}),
    ],
)
def test_a_class_is_checked_and_scored(
    file: str, block: str, commands: str, shown: set[str], folder: Path
) -> None:
    (folder / file).write_text(block)
    outputs = []
    for command in commands.splitlines():
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
    assert shown <= set(scored.split())
