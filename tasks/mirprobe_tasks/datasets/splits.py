"""Splits of data sets without official ones: from a list, or from a hash of the group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files

from mirprobe.core.hashing import unit_hash
from mirprobe.core.schema import SPLITS, Split, Track


def divide(
    tracks: Sequence[Track], *, name: str, shares: tuple[float, float, float] = (8, 1, 1)
) -> Mapping[Split, Sequence[Track]]:
    """Divide tracks by the list with this name; tracks that are not in it by `split_of_group`.

    The split of a group depends only on its name and the name of the division. It is the same on
    every machine and does not depend on the other tracks. The lists were made by this rule.

    Args:
        tracks: the tracks of one group are in one split.
        name: of the division: the name of the data set, plus a suffix if it has several divisions.
        shares: of train, valid and test, in any unit.

    Returns:
        The tracks of each split, in the given order.
    """
    parts: dict[Split, list[Track]] = {split: [] for split in SPLITS}
    fixed = listed_splits(name)
    for track in tracks:
        parts[fixed.get(track.id) or split_of_group(track.group, name, shares)].append(track)
    return parts


def split_of_group(group: str, name: str, shares: tuple[float, float, float] = (8, 1, 1)) -> Split:
    """The split of a group, from a hash of its name and the name of the division."""
    place = unit_hash("split", name, group) * sum(shares)
    first, second = shares[0], shares[0] + shares[1]
    return SPLITS[0 if place < first else 1 if place < second else 2]


FOLDER = files("mirprobe_tasks.datasets") / "divisions"
SUFFIX = ".tsv"


@cache
def listed_splits(name: str) -> Mapping[str, Split]:
    """Track id -> split, in the order of the data set; empty if there is no such list.

    Args:
        name: of the division, as for `divide`.
    """
    file = FOLDER / f"{name}{SUFFIX}"
    if not file.is_file():
        return {}
    rows = [line.split("\t") for line in file.read_text(encoding="utf-8").splitlines()]
    known: Mapping[str, Split] = {split: split for split in SPLITS}
    return {track: known[split] for track, split in rows}
