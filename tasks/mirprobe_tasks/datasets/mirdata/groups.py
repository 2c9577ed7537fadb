"""Groups of tracks that share names, such as artists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def artists_or_title(track: Any) -> str | Sequence[str]:
    """The artists of a mirdata track; its title if it has none."""
    return tuple(track.artists) or str(track.title or track.track_id)


def connected_groups(names: Sequence[Sequence[str]]) -> list[str]:
    """The group of each track; tracks that share a name are in one group.

    The relation is transitive: if A and B share a track, and B and C, all three are one group.

    Args:
        names: of each track, at least one, such as its artists.

    Returns:
        For each track the alphabetically first name of its group.
    """
    parent: dict[str, str] = {}

    def find(name: str) -> str:
        while parent.setdefault(name, name) != name:
            parent[name] = parent[parent[name]]  # path halving
            name = parent[name]
        return name

    for first, *others in names:
        for other in others:
            low, high = sorted((find(first), find(other)))
            parent[high] = low
    return [find(first) for first, *_ in names]
