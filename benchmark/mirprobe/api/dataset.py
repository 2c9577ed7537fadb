"""The Dataset protocol: tracks in fixed splits, and where their audio comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from mirprobe.core.schema import Split, Track


@dataclass(frozen=True)
class Sheet:
    """What one must know of a data set before using it; `mirprobe data` shows it.

    A data set's class may carry one as its attribute `sheet`. One without lies in the cache.

    Attributes:
        tracks: how many, with audio and annotations.
        hours: of audio; None where nobody says.
        gigabytes: of the files as they lie on the disk; None where nobody says.
        licence: of audio and annotations.
        source: where it comes from: a URL, or a paper.
        obtain: how to get it and what must lie where below the data set's folder, in one line.
        caution: what one must know before one reads a score on it, in one line.
        generated: made by a program here: it lies in the cache and may be deleted at any time.
            All others lie in the data home, and nothing there is ever deleted.
    """

    tracks: int
    hours: float | None
    gigabytes: float | None
    licence: str
    source: str
    obtain: str
    generated: bool = False
    caution: str = ""


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

    One whose tracks have one instrument or one genre each also has `vocabularies`, a mapping from
    the field of `Annotations` to its labels, fixed for all splits: the label spaces of those tasks.
    One whose files lie elsewhere than in the folder that it was given names theirs as `root`.
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


@runtime_checkable
class Downloadable(Protocol):
    """A data set that can fetch its own files: `mirprobe data prepare`."""

    def download(self) -> None:
        """Fetch what is missing into the data set's folder, with a bar and checksums.

        What is there already is left alone, so that a killed download goes on.

        Raises:
            ConfigError: a file cannot be had; the message says where to get it by hand.
        """
        ...
