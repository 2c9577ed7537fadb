"""The Dataset protocol: tracks in fixed splits, and where their audio comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from mirprobe.schema import Split, Track


class Dataset(Protocol):
    """Tracks with annotations, divided into splits that no group crosses.

    A plug-in of the entry-point group `mirprobe.datasets` is a class built as
    `factory(root=Path, **options)`: `root` is a folder of its own for what it renders or downloads,
    and the options are those of the specification `name:option=value,...`.

    Attributes:
        name: the registered name.
        tags: the tag vocabulary, fixed for all splits; empty where the data set has no tags.
        trim: seconds at the start of each track that beat metrics leave out: 5.0 for whole songs,
            as mir_eval advises, 0.0 for excerpts too short to spare them.
    """

    name: str
    tags: tuple[str, ...]
    trim: float

    def splits(self) -> Mapping[Split, Sequence[Track]]:
        """Every track by split; cheap, reads no audio and does not need it to exist yet."""
        ...

    def prepare(self, tracks: Sequence[Track]) -> Iterator[str]:
        """Make the audio of `tracks` exist, yielding the id of each track as it becomes ready."""
        ...
