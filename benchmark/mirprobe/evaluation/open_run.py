"""`mirprobe.open_run`: a finished run in Python."""

from __future__ import annotations

from os import PathLike
from typing import Any

from mirprobe.evaluation.rerun import Rerun, rerun
from mirprobe.reporting.stored_run import StoredRun


class Run(StoredRun):
    """A finished run that can be run again."""

    def rerun(self, **options: Any) -> Rerun:
        """Do the run again, and compare the scores; see `mirprobe.evaluation.rerun.rerun`."""
        return rerun(self, **options)


def open_run(path: str | PathLike[str]) -> Run:
    """Open a finished run.

    Args:
        path: of its folder, or of a zip file of it.

    Raises:
        StorageError: there is no run.
    """
    return Run(path)
