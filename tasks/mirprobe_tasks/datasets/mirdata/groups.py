"""Which tracks belong together when they share more than one name."""

from __future__ import annotations

from collections.abc import Sequence


def connected(names: Sequence[Sequence[str]]) -> list[str]:
    """One group a track, such that tracks which share a name share the group.

    Sharing is passed on: where A made a track with B and B one with C, all three are one group.

    Args:
        names: of each track, at least one: its artists, say.

    Returns:
        The group of each track: the first of its names in alphabetical order. A name that no
        other is joined to is its own group.
    """
    leader: dict[str, str] = {}

    def find(name: str) -> str:
        while leader.setdefault(name, name) != name:
            leader[name] = leader[leader[name]]  # shortens the way for whoever asks next
            name = leader[name]
        return name

    for first, *others in names:
        for other in others:
            low, high = sorted((find(first), find(other)))
            leader[high] = low
    return [find(first) for first, *_ in names]
