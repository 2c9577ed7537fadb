"""Splits of data sets that come without official ones: as they are listed, else by a rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files

from mirprobe.core.hashing import unit_hash
from mirprobe.core.schema import SPLITS, Split, Track


def divide(
    tracks: Sequence[Track], *, name: str, shares: tuple[float, float, float] = (8, 1, 1)
) -> Mapping[Split, Sequence[Track]]:
    """Divide tracks as the list of that name says, and those that it does not know by group.

    The rule is the one that made the lists. A group's split depends on its name and the data set's
    alone, so that it stays where it is whatever other tracks are there, on every machine.

    Args:
        tracks: with the group that no split may tear apart.
        name: of the data set and, where there are several divisions of it, of this one.
        shares: of train, valid and test, in any unit.

    Returns:
        The tracks of each split, in the order given.
    """
    parts: dict[Split, list[Track]] = {split: [] for split in SPLITS}
    fixed = listed_splits(name)
    for track in tracks:
        parts[fixed.get(track.id) or split_of_group(track.group, name, shares)].append(track)
    return parts


def split_of_group(group: str, name: str, shares: tuple[float, float, float] = (8, 1, 1)) -> Split:
    """The split of a group: the place of a hash of both names among the shares."""
    place = unit_hash("split", name, group) * sum(shares)
    first, second = shares[0], shares[0] + shares[1]
    return SPLITS[0 if place < first else 1 if place < second else 2]


FOLDER = files("mirprobe_tasks.datasets") / "divisions"
SUFFIX = ".tsv"


@cache
def listed_splits(name: str) -> Mapping[str, Split]:
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
