"""Tracks from table, audio folder and annotation files; errors are collected as faults."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from os.path import isfile
from pathlib import Path, PurePath
from typing import Any
from unicodedata import normalize

from mirprobe.api.specs import nearest
from mirprobe.core.schema import SPLITS, Annotations, Split, Track
from mirprobe_tasks.common.checks import finite
from mirprobe_tasks.datasets.folder.audio_files import FOREIGN, audio_files, path_key
from mirprobe_tasks.datasets.folder.description import COLUMNS, LABELLED, LOCAL, Description
from mirprobe_tasks.datasets.folder.faults import Faults
from mirprobe_tasks.datasets.folder.labels import Row, read_labels, read_own, refuse_labels
from mirprobe_tasks.datasets.folder.local import ReadLocal, read_events, read_local, stretch
from mirprobe_tasks.datasets.folder.rows import SPLIT_NAMES, rows_of_files, rows_of_table


@dataclass(frozen=True)
class FolderTrack:
    """A track, the place of its row, and its split if one is given."""

    where: str
    track: Track
    split: Split | None


def read_tracks(description: Description, faults: Faults) -> list[FolderTrack]:
    """The tracks of all readable rows, or of all audio files if there is no table.

    Raises:
        ConfigError: the table cannot be read.
    """
    files = audio_files(description.audio, faults)
    if description.table is None:
        rows = rows_of_files(files, description, faults)
    else:
        rows = rows_of_table(description, faults)
    read = [_Reader(description, files, faults, row).read() for row in rows]
    folder_tracks = [track for track in read if track is not None]
    if any("split" in row.cells for row in rows):
        given = {SPLIT_NAMES.get(row.text("split").lower()) for row in rows}
        for split in SPLITS:
            if split not in given:
                faults.add(f"split '{split}' is empty; give it tracks")
    held = [one.track.annotations.given() for one in folder_tracks]
    known = {*LABELLED, *(name for one in held for name in one)}
    for name in () if faults else sorted(set(description.labels) - known):
        faults.add(f"'labels': no track has a field '{name}'; {nearest(name, known)}")
    if not faults and not any(held):
        faults.add(
            "no track has any annotation; map columns to "
            f"{', '.join(COLUMNS[6:])}, or name the suffixes of files `beside` the audio",
        )
    return folder_tracks


@dataclass(frozen=True)
class _Reader:
    """Reads one row."""

    description: Description
    files: Mapping[str, Sequence[Path]]
    faults: Faults
    row: Row

    def read(self) -> FolderTrack | None:
        """The track; None if it has no audio or if its start and stop are impossible."""
        split = self._split() if "split" in self.row.cells else None
        labels = read_labels(self.row, self.description.separator, self._refuse)
        own: dict[str, Any] = read_own(self.row, self.description.separator, self._refuse)
        audio = self._audio()
        if audio is None:
            return None
        start, stop = self._seconds("start") or 0.0, self._seconds("stop")
        if start < 0 or (stop is not None and stop <= start):
            self._refuse(f"lasts from {start} to {stop} s; stop must come after start")
            return None
        for kind, path in self._local(audio):
            try:
                read = self._files().get(kind, read_local)
                values = stretch(read(kind, path, self.description.jams), start, stop)
            except ValueError as error:
                self.faults.add(str(error), self._relative(path))
                continue
            for field in sorted(set(values) & set(labels)):
                again = self._relative(path)
                self._refuse(f"has {field} already, and again in {again}; remove one of them")
            labels.update(values)
        own |= {name: labels.pop(name) for name in self._files() if name in labels}
        refuse_labels({**labels, **own}, self.description, self._refuse)
        inside = audio.is_relative_to(self.description.audio)
        name = (audio.relative_to(self.description.audio) if inside else audio).as_posix()
        plain = normalize("NFC", name.removesuffix(audio.suffix))
        track = Track(
            id=self.row.text("id") or (plain if len(self.files.get(plain, ())) == 1 else name),
            audio=audio,
            group=self.row.text("group") or name,
            annotations=replace(Annotations(), **labels, extra=own or None),
            start=start,
            stop=stop,
        )
        return FolderTrack(self.row.where, track, split)

    def _refuse(self, what: str) -> None:
        self.faults.add(what, self.row.where)

    def _relative(self, path: Path) -> str:
        folder = self.description.path.parent
        return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)

    def _seconds(self, name: str) -> float | None:
        text = self.row.text(name)
        if not text:
            return None
        try:
            return finite(text)
        except ValueError as error:
            self._refuse(f"{name} '{text}': {error}")
            return None

    def _split(self) -> Split | None:
        text = self.row.text("split")
        split = SPLIT_NAMES.get(text.lower())
        if split is None:
            self._refuse(f"split '{text}' is not train, valid or test; see columns.split")
        return split

    def _audio(self) -> Path | None:
        """The audio file that the row names, with or without suffix."""
        name = self.row.text("audio")
        path = self.description.audio / name
        key = path_key(PurePath(name))
        found = [path] if isfile(path) else list(self.files.get(key, ()))
        if not found and PurePath(name).name:  # the same name in another form of Unicode
            same = self.files.get(path_key(PurePath(name).with_suffix("")), ())
            found = [one for one in same if normalize("NFC", one.name) == PurePath(key).name]
        if len(found) != 1:
            several = f"is one of {len(found)} files; write the suffix too"
            self._refuse(f"audio '{name}' {several if found else f'is not in {path.parent}'}")
            return None
        if found[0].suffix.lower() in FOREIGN:
            self._refuse(f"audio '{name}' is of a kind that is not read; convert it to FLAC")
            return None
        return found[0]

    def _files(self) -> Mapping[str, ReadLocal]:
        """Field of the user's own -> reader of its files."""
        return {
            **dict.fromkeys(self.description.events, read_events),
            **dict.fromkeys(self.description.segments, read_local),
        }

    def _local(self, audio: Path) -> Iterator[tuple[str, Path]]:
        """The existing annotation files: those that the row names, then those beside the audio."""
        named = set()
        for kind in (*LOCAL, *self._files()):
            name = self.row.text(kind)
            if not name:
                continue
            path = self.description.path.parent / name
            if not isfile(path):
                self._refuse(f"{kind} '{name}' is not in {path.parent}")
                continue
            named.add(path)
            yield kind, path
        own = {**self.description.events, **self.description.segments}
        for kind, ending in {**self.description.beside, **own}.items():
            path = audio.with_name(audio.stem + ending)
            if (
                not self.row.text(kind)
                and kind not in self.row.cells
                and path not in named
                and isfile(path)
            ):
                yield kind, path
