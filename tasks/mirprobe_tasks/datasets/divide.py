"""Splits of data sets that come without official ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mirprobe.fingerprint import digest
from mirprobe.schema import SPLITS, Split, Track


def divide(
    tracks: Sequence[Track], *, name: str, shares: tuple[float, float, float] = (8, 1, 1)
) -> Mapping[Split, Sequence[Track]]:
    """Divide tracks by their groups.

    A group's split depends on its name and the data set's alone, so that it stays where it is
    whatever other tracks are there, on every machine and in every release.

    Args:
        tracks: with the group that no split may tear apart.
        name: of the data set.
        shares: of train, valid and test, in any unit.

    Returns:
        The tracks of each split, in the order given.
    """
    parts: dict[Split, list[Track]] = {split: [] for split in SPLITS}
    for track in tracks:
        place = int(digest("split", name, track.group)[:13], 16) / 16**13 * sum(shares)
        first, second = shares[0], shares[0] + shares[1]
        split = SPLITS[0 if place < first else 1 if place < second else 2]
        parts[split].append(track)
    return parts
