"""The command line in a process of its own; SIGINT and SIGTERM end it in one line."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

SIGNALS = pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
IN_IMPORTS = """
import os, signal, sys
class Sender:
    def find_spec(self, name, path=None, target=None):
        if name == "typer":
            os.kill(os.getpid(), {number})
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.meta_path.insert(0, Sender())
from mirprobe.cli import main
main()
"""
TWICE = """
import os, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
from mirprobe.cli import main
def invoke(self, context):
    try:
        os.kill(os.getpid(), {number})
        time.sleep(20)
    finally:  # such as a library that waits for its processes
        os.kill(os.getpid(), {number})
        time.sleep(20)
import mirprobe.cli.app
mirprobe.cli.app.OneLineErrors.invoke = invoke
sys.argv = ["mirprobe", "list", "encoders"]
main()
"""


def ended(program: str, number: signal.Signals) -> tuple[int, list[str]]:
    command = [sys.executable, "-c", program.format(number=int(number))]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout == ""
    return done.returncode, done.stderr.splitlines()


@SIGNALS
def test_during_imports(number: signal.Signals, status: int) -> None:
    assert ended(IN_IMPORTS, number) == (status, ["interrupted before any work"])


@SIGNALS
def test_a_second_signal_leaves_at_once(number: signal.Signals, status: int) -> None:
    assert ended(TWICE, number) == (status, ["interrupted again: finished work is kept"])


def test_help_and_a_mistake_in_a_process_of_their_own(tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("mirprobe"))]
    shown = subprocess.run([*command, "--help"], capture_output=True, text=True, check=False)
    assert shown.returncode == 0
    assert {"run", "list", "leaderboard", "cache"} <= set(shown.stdout.split())
    wrong = subprocess.run(
        [*command, "run", "--encoder", "logmell"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr == "error: unknown encoder 'logmell'; did you mean 'logmel'?\n"
