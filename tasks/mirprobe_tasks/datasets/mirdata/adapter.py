"""The base of all data sets that mirdata loads; a subclass declares one data set.

mirdata knows the files of a data set, their checksums and sources, and how to parse annotations. A
subclass declares the rest: which annotation becomes which field of `Annotations`, which tracks must
stay in one split, and which split is the official one.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mirprobe.api.dataset import DatasetInfo
from mirprobe.core.errors import ConfigError, MissingDataError
from mirprobe.core.schema import SPLITS, Annotations, Split, Track
from mirprobe_tasks.common.make_annotations import make_annotations
from mirprobe_tasks.datasets.mirdata import mirdata_api
from mirprobe_tasks.datasets.mirdata.groups import connected_groups
from mirprobe_tasks.datasets.mirdata.readers import Reader
from mirprobe_tasks.datasets.splits import divide

log = logging.getLogger(__name__)


class MirdataDataset:
    """A data set of mirdata, in mirdata's layout below one folder.

    Attributes:
        name: registered here and in mirdata.
        sheet: as `Dataset.sheet`.
        tags: as `Dataset.tags`.
        vocabularies: as `Dataset.vocabularies`.
        trim: as `Dataset.trim`.
        fields: field of `Annotations`, or key of its `extra` -> reader, see `readers.read_fields`.
        remotes: the parts that mirdata downloads; empty for all.
        audio_attribute: attribute of mirdata's track with the path of the audio file.
        excluded: stem of an audio file -> why the track is not used.
        split_attribute: attribute of mirdata's track with the part of the official split.
        split_names: value of that attribute -> split; empty if there is no official split.
        split_seed: changes the division of a data set without official split.
        faults: track id -> what cannot be read, and why; filled by `splits`.
    """

    name: str
    sheet: DatasetInfo
    tags: tuple[str, ...] = ()
    vocabularies: Mapping[str, tuple[str, ...]] = {}
    trim: float = 0.0
    fields: Mapping[str, Reader]
    remotes: tuple[str, ...] = ()
    audio_attribute: str = "audio_path"
    excluded: Mapping[str, str] = {}
    split_attribute: str = "split"
    split_names: Mapping[Any, Split] = {}
    split_seed: str = ""

    def __init__(self, root: Path, version: str | float = "default") -> None:
        """Set the options; nothing is read yet.

        Args:
            root: folder of the data set. mirdata's index is in it, or in mirdata's own folder.
            version: of mirdata's index.
        """
        self._root = Path(root)
        self._version = str(version)
        self._splits: Mapping[Split, Sequence[Track]] | None = None
        self.faults: dict[str, list[str]] = {}

    def group(self, track: Any) -> str | Sequence[str]:
        """Tracks of one group stay in one split: one name, or several, see `connected_groups`.

        By default every track is its own group.
        """
        return str(track.track_id)

    def official_split(self, source: Any) -> Mapping[str, Split]:
        """Track id -> split, by default from `split_names`; other tracks are left out.

        If it is empty, the groups are divided 8:1:1. If it has no validation tracks, a ninth of the
        training groups is for validation.

        Args:
            source: mirdata's data set.

        Raises:
            ValueError: the metadata do not contain a track.
        """
        splits = {}
        for track_id in source.track_ids if self.split_names else ():
            part = getattr(source.track(track_id), self.split_attribute)
            if part is None:
                raise ValueError(f"the metadata do not name track '{track_id}'")
            splits[track_id] = self.split_names[part]
        return splits

    def splits(self) -> Mapping[Split, Sequence[Track]]:
        """The tracks of each split, read from index and annotations; needs no audio.

        If an annotation cannot be read, its field stays empty and `faults` has the reason. If the
        group of a track cannot be read, the track is left out and `faults` has the reason.

        Raises:
            ConfigError: mirdata, its index or the metadata is missing, or no annotation can be
                read.
        """
        if self._splits is None:
            self._splits = self._read()
        return self._splits

    def prepare(self, tracks: Sequence[Track]) -> Iterator[str]:
        """Check that there is audio. The harness reports single missing files track by track.

        Yields:
            The id of each track.

        Raises:
            ConfigError: no track has audio.
        """
        if tracks and not any(track.audio.is_file() for track in tracks):
            raise MissingDataError(
                f"data set '{self.name}' has no audio in {self._root}: {self.sheet.obtain} "
                f"(`mirprobe data prepare {self.name}`)"
            )
        yield from (track.id for track in tracks)

    def download(self) -> None:
        """Download index, annotations and, where it is free, audio with mirdata.

        mirdata keeps the archives beside the unpacked files. It does not download complete archives
        again, but unpacks them again. An incomplete archive is downloaded from the start.

        Raises:
            ConfigError: a part cannot be downloaded; the message says how to get it by hand.
        """
        source = mirdata_api.open_dataset(self.name, self._root, self._version)
        mirdata_api.download(source, self.name, self.remotes, self.sheet.obtain)
        self._splits = None

    def _read(self) -> Mapping[Split, Sequence[Track]]:
        self.faults = {}
        source = mirdata_api.open_dataset(self.name, self._root, self._version)
        ids = mirdata_api.track_ids(source, self.name)
        with mirdata_api.quiet():
            try:
                official = self.official_split(source)
            except Exception as error:  # a loader may raise anything on an unexpected file
                raise self._unreadable(f"the official split ({_reason(error)})") from error
            tracks = self._tracks(source, [key for key in ids if not official or key in official])
        if not any(track.annotations.given() for track in tracks):
            first = next(iter(self.faults.items()), None)
            why = f"track '{first[0]}': {first[1][0]}" if first else "the index has no track"
            raise self._unreadable(f"any annotation ({why})")
        self._warn()
        if not official:
            return divide(tracks, name=f"{self.name} {self.split_seed}".strip())
        parts = {
            split: [track for track in tracks if official[track.id] == split] for split in SPLITS
        }
        if not parts["valid"]:
            divided = divide(parts["train"], name=self.name, shares=(8, 1, 0))
            parts["train"], parts["valid"] = list(divided["train"]), list(divided["valid"])
        return parts

    def _tracks(self, source: Any, ids: Sequence[str]) -> list[Track]:
        """The tracks whose group can be read."""
        found: list[tuple[str, Path, Annotations]] = []
        names: list[Sequence[str]] = []
        for key in ids:
            try:
                track = source.track(key)
                audio = Path(getattr(track, self.audio_attribute))
                if audio.stem in self.excluded:
                    continue
                group = self.group(track)
                if not group or not all(group):
                    raise ValueError("the metadata do not name it")
            except Exception as error:  # as above; `faults` has it
                self._fault(key, "group", error)
                continue
            names.append([group] if isinstance(group, str) else group)
            found.append((key, audio, self._annotations(key, track)))
        return [
            Track(id=key, audio=audio, group=group, annotations=annotations)
            for (key, audio, annotations), group in zip(found, connected_groups(names), strict=True)
        ]

    def _annotations(self, key: str, track: Any) -> Annotations:
        values: dict[str, Any] = {}
        for field, read in self.fields.items():
            try:
                values[field] = read(track)
            except Exception as error:  # as above; `faults` has it
                self._fault(key, field, error)
        return make_annotations(values)

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


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError) and error.filename:
        return f"{error.filename} is missing"
    return f"{type(error).__name__}: {error}"
