"""The Dataset protocol: tracks in fixed splits, and their audio."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from mirprobe.api.optional import OptionalMember

if TYPE_CHECKING:  # imports torch, which the command line starts without
    from mirprobe.core.schema import Split, Track


@dataclass(frozen=True, kw_only=True)
class DatasetInfo:
    """Size, licence and source of a data set. `mirprobe data` shows it.

    Attributes:
        tracks: number of tracks with audio and annotations; None if unknown.
        hours: of audio; None if unknown.
        gigabytes: of all files on disk; None if unknown.
        licence: of audio and annotations.
        source: a URL or a paper.
        obtain: how to get the data set, and which files must be in its folder, in one line.
        generated: whether a program of this package makes it. Such a data set is stored in the
            cache and may be deleted at any time. Every other one is stored in the data home, where
            nothing is ever deleted.
        caution: what one must know to read a score on it, in one line.
    """

    tracks: int | None = None
    hours: float | None = None
    gigabytes: float | None = None
    licence: str
    source: str
    obtain: str
    generated: bool = False
    caution: str = ""


class Dataset(Protocol):
    """Tracks with annotations in fixed splits. The tracks of one group are all in one split.

    A plug-in of the entry-point group `mirprobe.datasets` is a class that is built as
    `factory(root=Path, **options)`. `root` is its own folder, for what it renders or downloads. The
    options are those of the specification `name:option=value,...`.

    Attributes:
        name: the registered name.
        tags: the tag vocabulary, the same for all splits; empty if the data set has no tags.
        trim: seconds at the start of each track that beat metrics ignore: 5.0 for whole songs, as
            mir_eval recommends, 0.0 for excerpts that are too short for it.

    Optional attributes:
        sheet: on the class: a `DatasetInfo`; default None. A data set without it is stored in the
            cache. Read by `sheet_of`.
        vocabularies: field of `Annotations` -> its labels, the same for all splits; default empty.
            They are the label spaces of the tasks `instrument` and `genre`. Read by
            `vocabularies_of`.
        root: the folder of the data set's files, if it is not the one that was given to the
            constructor; default None. Read by `root_of`.
        faults: track id -> reasons why its annotations cannot be read; default empty. Read by
            `faults_of`.
        positional: on the class: names of the options whose `key=` may be left out of a
            specification; default `()`. Read by `positional_of`.
    """

    name: str
    tags: tuple[str, ...]
    trim: float

    def splits(self) -> Mapping[Split, Sequence[Track]]:
        """The tracks of each split. Does not read audio, which need not exist yet.

        Raises:
            MissingDataError: other files are missing; other runs of a suite go on.
        """
        ...

    def prepare(self, tracks: Sequence[Track]) -> Iterator[str]:
        """Make the audio files of `tracks`; yields the id of each track when its audio exists."""
        ...


sheet_of: OptionalMember[DatasetInfo | None] = OptionalMember("sheet", None)
"""Size, licence and source of a data set's class."""

vocabularies_of: OptionalMember[Mapping[str, Sequence[str]]] = OptionalMember("vocabularies", {})
"""Field of `Annotations` -> the labels that it can have in a data set."""

root_of: OptionalMember[Path | None] = OptionalMember("root", None)
"""The folder of a data set's files, if it is not the one that the constructor was given."""

faults_of: OptionalMember[Mapping[str, Sequence[str]]] = OptionalMember("faults", {})
"""Track id -> reasons why its annotations cannot be read."""


@runtime_checkable
class Downloadable(Protocol):
    """A data set that can download its own files: `mirprobe data prepare`."""

    def download(self) -> None:
        """Download the missing files into the data set's folder, with a progress bar and checksums.

        Existing files are kept, so that an interrupted download continues.

        Raises:
            ConfigError: a file cannot be downloaded; the message says how to get it by hand.
        """
        ...


@runtime_checkable
class Playable(Protocol):
    """A data set that renders its audio, and can play a track transposed or at another tempo."""

    def played(self, track: Track, effect: str, strength: float) -> Path:
        """The audio file of a track with an effect; `prepare` renders it.

        Args:
            track: one of `splits()`.
            effect: `transpose` or `tempo`.
            strength: semitones, or how many times as fast.

        Raises:
            ConfigError: the track cannot be played so.
        """
        ...


def is_text(name: str) -> bool:
    """Whether a name can be written as one line of UTF-8; names of files on a disk need not."""
    surrogates = any("\ud800" <= letter <= "\udfff" for letter in name)
    return not surrogates and len(name.splitlines()) < 2 and not name.endswith(("\r", "\n"))
