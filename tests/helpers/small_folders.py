"""A folder of three short recordings, and data sets described in it."""

from __future__ import annotations

from pathlib import Path

from helpers.miniatures import text

from mirprobe_tasks.datasets.folder import Folder

PLAIN = "audio: recordings\ntable: labels.csv\n"


NAMES = ("one", "two", "three")


def folder(here: Path, description: str, table: str | None = None) -> Folder:
    if table is not None:
        text(here / "labels.csv", table)
    return Folder(here, config=str(text(here / "my.yaml", description)))
