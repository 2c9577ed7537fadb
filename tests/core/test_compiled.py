from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mirprobe_tasks.decoding.viterbi import best_path

SOURCE = """
import numpy as np

from mirprobe.core.compiled import compiled


@compiled
def total(values):
    found = 0.0
    for value in values:
        found += value
    return found


print(total(np.arange(5.0)))
"""


def run(code: str, **variables: str) -> str:
    """The output of a Python program."""
    command = [sys.executable, "-c", code]
    environment = {**os.environ, **variables}
    return subprocess.run(
        command, env=environment, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.mark.parametrize("beside", [True, False])
@pytest.mark.parametrize("of_the_user", [True, False])
def test_machine_code_is_kept_where_a_folder_can_be_written(
    beside: bool, of_the_user: bool, tmp_path: Path
) -> None:
    module, user = tmp_path / "package" / "sums.py", tmp_path / "user"
    module.parent.mkdir()
    module.write_text(SOURCE)
    if not beside:
        (module.parent / "__pycache__").write_text("")  # a file: no folder can be made here
    if not of_the_user:
        user.write_text("")
    code = f"import sys; sys.path.insert(0, {str(module.parent)!r}); import sums"
    assert run(code, XDG_CACHE_HOME=str(user), HOME=str(user)) == "10.0"
    kept = [path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("*.nbc")]
    assert kept == (["package"] if beside else ["user"] if of_the_user else [])


def test_numba_is_imported_by_the_first_call_only() -> None:
    code = """
import sys
import mirprobe, mirprobe.cli, mirprobe_tasks.beat, mirprobe_tasks.chord
assert "numba" not in sys.modules
"""
    run(code)


def test_the_function_itself_stays_available() -> None:
    scores = np.random.default_rng(0).normal(size=(30, 4))
    plain = best_path.__wrapped__  # type: ignore[attr-defined]
    assert plain(scores, 1.0).tolist() == best_path(scores, 1.0).tolist()
