"""The command line `mirprobe`: the only package that prints."""

from __future__ import annotations

import os
import signal
import sys
from os import _exit  # plug-ins run with another `os._exit`
from types import FrameType


def main() -> None:
    """Entry point of the console script: SIGINT and SIGTERM end it in one line, also in imports."""
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)
    # Python warns of semaphores when worker processes are killed
    os.environ.setdefault("PYTHONWARNINGS", "ignore:resource_tracker")
    try:
        from mirprobe.cli.app import app

        app()
    except KeyboardInterrupt as error:  # before a command began
        sys.stderr.write("interrupted before any work\n")
        sys.exit(getattr(error, "exit_status", 130))


def _interrupt(number: int, frame: FrameType | None) -> None:
    """The first signal unwinds the work; another one leaves at once."""
    from mirprobe.core.stop_request import StoppedError

    for other in (signal.SIGINT, signal.SIGTERM):
        signal.signal(other, _leave)
    raise StoppedError("", number)


def _leave(number: int, frame: FrameType | None) -> None:
    os.write(2, b"interrupted again: finished work is kept\n")
    _exit(128 + number)
