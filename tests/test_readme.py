"""The README's Python blocks run as they stand."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


def test_there_is_a_block_for_an_encoder_and_one_for_a_task() -> None:
    assert [("register_encoder" in block, "register_task" in block) for block in BLOCKS] == [
        (True, False),
        (False, True),
    ]


@pytest.mark.parametrize("block", BLOCKS, ids=("encoder", "task"))
def test_the_class_takes_under_15_lines(block: str) -> None:
    body = block.partition("@")[2].partition("\nscores =")[0]
    lines = [line for line in body.splitlines() if line.strip()]
    assert len(lines) < 15


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One working directory, so that the blocks share what is rendered."""
    return tmp_path_factory.mktemp("readme")


@pytest.mark.parametrize("block", BLOCKS, ids=("encoder", "task"))
def test_the_block_runs(block: str, folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", block], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "chance" in done.stdout.splitlines()[0]
    assert "mfcc" in done.stdout
    assert list(folder.glob("results/*/scores.csv"))
