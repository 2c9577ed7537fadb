"""Divisions that are fixed as lists of track ids: the files in the folder `divisions`.

There is one for every division of ours whose tracks can be known without the data; its README says
where the ids come from. The files are read rather than computed, so that a division stays what it
is whatever becomes of the rule that made it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from mirprobe.schema import SPLITS, Split

FOLDER = files("mirprobe_tasks.datasets") / "divisions"
SUFFIX = ".tsv"


@cache
def listed(name: str) -> Mapping[str, Split]:
    """Track id -> split, in the order of the data set; empty where there is no list of that name.

    Args:
        name: of the division: that of a data set, with what else makes it another one.
    """
    file = FOLDER / f"{name}{SUFFIX}"
    if not file.is_file():
        return {}
    rows = [line.split("\t") for line in file.read_text(encoding="utf-8").splitlines()]
    known: Mapping[str, Split] = {split: split for split in SPLITS}
    return {track: known[split] for track, split in rows}
