"""What all data sets that mirdata loads have in common; a subclass declares one of them.

mirdata knows which files a data set has, their checksums, where to download them and how their
annotations read. Declared here is what it does not know: which annotation becomes which field of
`Annotations`, what no split may tear apart, and which split is the official one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mirprobe.api.dataset import DatasetInfo
from mirprobe.core.errors import ConfigError
from mirprobe.core.schema import SPLITS, Annotations, Split, Track
from mirprobe_tasks.datasets.mirdata import library
from mirprobe_tasks.datasets.mirdata.groups import connected
from mirprobe_tasks.datasets.splits import divide

log = logging.getLogger(__name__)

Reader = Callable[[Any], Any]
"""mirdata's track to the value of a field; None where the data set has none for this track."""


class MirdataDataset:
    """A data set of mirdata, in its own layout below one folder.

    Attributes:
        name: registered here and in mirdata.
        sheet: what one must know of it.
        tags: as `Dataset.tags`.
        vocabularies: field -> its labels, fixed for all splits, for `genre` and `instrument`.
        trim: as `Dataset.trim`.
        fields: field of `Annotations` -> how it is read from mirdata's track.
        remotes: the parts that mirdata downloads; none means all.
        audio: attribute of mirdata's track that names the audio file.
        left_out: name of an audio file without its ending -> why it is not used.
        seed: changes the division of a data set without official split.
        faults: track id -> what of it cannot be read, and why; known once `splits` was called.
    """

    name: str
    sheet: DatasetInfo
    tags: tuple[str, ...] = ()
    vocabularies: Mapping[str, tuple[str, ...]] = {}
    trim: float = 0.0
    fields: Mapping[str, Reader]
    remotes: tuple[str, ...] = ()
    audio: str = "audio_path"
    left_out: Mapping[str, str] = {}
    seed: str = ""

    def __init__(self, root: Path, version: str | float = "default") -> None:
        """Describe the data set; nothing is read yet.

        Args:
            root: its folder. mirdata's index lies there too, or in mirdata's own folder.
            version: of mirdata's index.
        """
        self._root = Path(root)
        self._version = str(version)
        self._splits: Mapping[Split, Sequence[Track]] | None = None
        self.faults: dict[str, list[str]] = {}

    def group(self, track: Any) -> str | Sequence[str]:
        """What no split may tear apart: a name, or several where tracks that share one belong.

        By default every track stands for itself.
        """
        return str(track.track_id)

    def official(self, source: Any) -> Mapping[str, Split]:
        """Track id -> split, of mirdata's data set; a track that is missing here is left out.

        Empty, as by default, where there is no official split: then the groups are divided 8:1:1.
        One without validation tracks gets a ninth of the training groups as such.
        """
        return {}

    def splits(self) -> Mapping[Split, Sequence[Track]]:
        """Every track by split, read from index and annotations; needs no audio.

        An annotation that cannot be read leaves its field empty, and stands in `faults`. A track
        whose group cannot be told is left out, and stands there too.

        Raises:
            ConfigError: mirdata, its index or the metadata is missing, or no annotation can be
                read.
        """
        if self._splits is None:
            self._splits = self._read()
        return self._splits

    def prepare(self, tracks: Sequence[Track]) -> Iterator[str]:
        """Look whether there is audio; single missing files are reported track by track later.

        Yields:
            The id of each track.

        Raises:
            ConfigError: there is none at all.
        """
        if tracks and not any(track.audio.is_file() for track in tracks):
            raise ConfigError(
                f"data set '{self.name}' has no audio in {self._root}: {self.sheet.obtain} "
                f"(`mirprobe data prepare {self.name}`)"
            )
        yield from (track.id for track in tracks)

    def download(self) -> None:
        """Fetch index, annotations and, where it is free, audio with mirdata.

        mirdata keeps the archives beside what it unpacks, does not fetch those that are whole
        again, and unpacks them anew. One that was cut short is fetched from its beginning.

        Raises:
            ConfigError: a part cannot be had; the message says how to get it by hand.
        """
        source = library.open_dataset(self.name, self._root, self._version)
        library.download(source, self.name, self.remotes, self.sheet.obtain)
        self._splits = None

    def _read(self) -> Mapping[Split, Sequence[Track]]:
        self.faults = {}
        source = library.open_dataset(self.name, self._root, self._version)
        ids = library.track_ids(source, self.name)
        with library.quiet():
            try:
                official = self.official(source)
            except Exception as error:  # what a loader meets in a foreign file may be anything
                raise self._unreadable(f"the official split ({_reason(error)})") from error
            tracks = self._tracks(source, [key for key in ids if not official or key in official])
        if not any(
            value is not None for track in tracks for value in vars(track.annotations).values()
        ):
            first = next(iter(self.faults.items()), None)
            why = f"track '{first[0]}': {first[1][0]}" if first else "it names no track"
            raise self._unreadable(f"any annotation ({why})")
        self._warn()
        if not official:
            return divide(tracks, name=f"{self.name} {self.seed}".strip())
        parts = {
            split: [track for track in tracks if official[track.id] == split] for split in SPLITS
        }
        if not parts["valid"]:
            carved = divide(parts["train"], name=self.name, shares=(8, 1, 0))
            parts["train"], parts["valid"] = list(carved["train"]), list(carved["valid"])
        return parts

    def _tracks(self, source: Any, ids: Sequence[str]) -> list[Track]:
        """All tracks whose group can be told."""
        found: list[tuple[str, Path, Annotations]] = []
        names: list[Sequence[str]] = []
        for key in ids:
            try:
                track = source.track(key)
                audio = Path(getattr(track, self.audio))
                if audio.stem in self.left_out:
                    continue
                group = self.group(track)
                if not group or not all(group):
                    raise ValueError("the metadata do not name it")
            except Exception as error:  # as above; it is kept for the report
                self._fault(key, "group", error)
                continue
            names.append([group] if isinstance(group, str) else group)
            found.append((key, audio, self._annotations(key, track)))
        groups = connected(names)
        return [
            Track(id=key, audio=audio, group=group, annotations=annotations)
            for (key, audio, annotations), group in zip(found, groups, strict=True)
        ]

    def _annotations(self, key: str, track: Any) -> Annotations:
        values: dict[str, Any] = {}
        for field, read in self.fields.items():
            try:
                values[field] = read(track)
            except Exception as error:  # as above; it is kept for the report
                self._fault(key, field, error)
        return Annotations(**values)

    def _fault(self, key: str, field: str, error: Exception) -> None:
        self.faults.setdefault(key, []).append(f"{field} cannot be read ({_reason(error)})")

    def _warn(self) -> None:
        if self.faults:
            key, reasons = next(iter(self.faults.items()))
            log.warning(
                "data set '%s': annotations of %d tracks cannot be read, first '%s': %s; "
                "`mirprobe data check %s` lists all",
                *(self.name, len(self.faults), key, reasons[0], self.name),
            )

    def _unreadable(self, what: str) -> ConfigError:
        return ConfigError(
            f"data set '{self.name}' in {self._root}: cannot read {what}; run "
            f"`mirprobe data prepare {self.name}`, or: {self.sheet.obtain}"
        )


def told(key: str, value: Any) -> Any:
    """What the metadata tell of a track: mirdata has None for one that they do not name.

    Raises:
        ValueError: it is None.
    """
    if value is None:
        raise ValueError(f"the metadata do not name track '{key}'")
    return value


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError) and error.filename:
        return f"{error.filename} is missing"
    return f"{type(error).__name__}: {error}"
