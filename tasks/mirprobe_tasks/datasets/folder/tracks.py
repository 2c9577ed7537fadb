"""Tracks from table, audio folder and annotation files; errors are collected as faults."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from os import walk
from os.path import isfile
from pathlib import Path, PurePath
from typing import Any
from unicodedata import normalize

from mirprobe.api.dataset import is_text
from mirprobe.api.specs import nearest
from mirprobe.core.schema import SPLITS, Annotations, Split, Track
from mirprobe_tasks.common.checks import finite
from mirprobe_tasks.datasets.folder.description import COLUMNS, FIELDS, LABELLED, LOCAL, Description
from mirprobe_tasks.datasets.folder.faults import Faults
from mirprobe_tasks.datasets.folder.labels import Row, read_labels, read_own, refuse_labels
from mirprobe_tasks.datasets.folder.local import ReadLocal, read_events, read_local, stretch
from mirprobe_tasks.datasets.folder.table import Cell, Table, read_table

log = logging.getLogger(__name__)

AUDIO = (
    *(".wav", ".wave", ".bwf", ".flac", ".mp3", ".ogg", ".oga", ".opus"),
    *(".aif", ".aiff", ".aifc", ".au", ".snd", ".caf", ".w64", ".rf64"),
)
"""Suffixes of audio files."""

FOREIGN = (
    *(".m4a", ".m4b", ".aac", ".mp4", ".wma", ".wv", ".ape", ".tta", ".mpc", ".spx", ".amr"),
    *(".mp1", ".mp2", ".voc", ".sph", ".nist", ".avr", ".paf", ".pvf", ".svx", ".ircam"),
)
"""Suffixes of audio files that libsndfile cannot decode, or whose length cannot be checked."""

SPLIT_NAMES: Mapping[str, Split] = {
    **dict.fromkeys(("train", "training", "tr"), "train"),
    **dict.fromkeys(("valid", "validation", "val", "dev", "development"), "valid"),
    **dict.fromkeys(("test", "testing", "te", "eval", "evaluation"), "test"),
}
"""Names of splits, in small letters."""


FOLD = re.compile(r"(cv|cross|k)?[\W_]*folds?[\W_]*\d*", re.IGNORECASE)
"""Names of the columns and folders of a cross-validation."""


def split_in_path(audio: Path, folder: Path) -> Split | None:
    """The split that a word in the path of an audio file below `folder` names, as `01_train`."""
    inside = audio.is_relative_to(folder)
    text = (audio.relative_to(folder) if inside else audio).with_suffix("").as_posix().lower()
    words = [word.removesuffix("set") for word in re.split(r"[\W\d_]+", text)]
    # words of two letters occur in other names
    found = {SPLIT_NAMES[word] for word in words if len(word) > 2 and word in SPLIT_NAMES}
    return found.pop() if len(found) == 1 else None


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
    files = _audio_files(description.audio, faults)
    if description.table is None:
        rows = _rows_of_files(files, description, faults)
    else:
        rows = _rows_of_table(description, faults)
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


def _audio_files(folder: Path, faults: Faults) -> dict[str, list[Path]]:
    """Relative path without suffix -> audio files below a folder, sorted.

    Links to folders are followed, each folder once. Files of other kinds are counted in the log.
    """
    found: dict[str, list[Path]] = {}
    others: Counter[str] = Counter()
    known: set[Path] = set()

    def refuse(error: OSError) -> None:
        faults.add(f"cannot be read ({error.strerror}); check its permissions", str(error.filename))

    for parent, folders, names in walk(folder, onerror=refuse, followlinks=True):
        real = Path(parent).resolve()
        shown = [name for name in folders if not name.startswith(".")]
        folders[:] = [] if real in known else sorted(shown)
        if real in known:
            continue
        known.add(real)
        for name in sorted(names):
            path = Path(parent, name)
            if name.startswith("."):
                continue
            if not is_text(str(path)):
                faults.add("its name is not one line of text in UTF-8; rename it", repr(str(path)))
            elif path.suffix.lower() in AUDIO + FOREIGN:
                found.setdefault(_key(path.relative_to(folder).with_suffix("")), []).append(path)
            else:
                others[path.suffix.lower() or "no suffix"] += 1
    if others:
        kinds = ", ".join(f"{count} {suffix}" for suffix, count in others.most_common())
        log.info("%s: files that are not read as audio: %s", folder, kinds)
    return found


def _key(path: PurePath) -> str:
    """A path as text in one form: file systems and tables may compose accents differently."""
    return normalize("NFC", path.as_posix())


def _composed(cell: Cell) -> Cell:
    """A cell in one form of Unicode, so that equal names are equal."""
    if isinstance(cell, str):
        return normalize("NFC", cell)
    return tuple(normalize("NFC", text) for text in cell)


def _rows_of_files(
    files: Mapping[str, Sequence[Path]], description: Description, faults: Faults
) -> list[Row]:
    """One row per file. The group is the top-level folder of the file below the audio folder.

    If some of these folders have names of splits, they are the splits instead, and every file must
    be in one of them.
    """
    places = [path.relative_to(description.audio) for paths in files.values() for path in paths]
    if not places:
        faults.add(
            f"'audio': {description.audio} holds no audio file ({', '.join(AUDIO)})",
        )
    folders = {place.parts[0] if len(place.parts) > 1 else "" for place in places}
    column = "split" if {name.lower() for name in folders} & set(SPLIT_NAMES) else "group"
    rows = []
    for place in places:
        top = place.parts[0] if len(place.parts) > 1 else ""
        if column == "split" and top.lower() not in SPLIT_NAMES:
            where = f"in folder '{top}'" if top else "in no folder"
            faults.add(
                f"is {where} beside folders of splits ({', '.join(sorted(filter(None, folders)))});"
                " move it into one of them, or name the splits in a table",
                place.as_posix(),
            )
            continue
        rows.append(
            Row(place.as_posix(), {"audio": place.as_posix(), **({column: top} if top else {})})
        )
    return rows


def _rows_of_table(description: Description, faults: Faults) -> list[Row]:
    """Rows by the contents of their columns; empty if no column names the audio."""
    assert description.table is not None
    table = read_table(description.table, description.delimiter, faults)
    columns = _columns(description, table, faults)
    single = {name: column for name, column in columns.items() if isinstance(column, str)}
    tags = columns.get("tags")
    flags = tags if isinstance(tags, tuple) else ()
    for column in (*single.values(), *flags):
        if column not in table.header:
            faults.add(
                f"'columns': {description.table.name} has no column '{column}'; "
                f"{nearest(column, table.header)}",
            )
    for column in (one for one in table.header if one not in (*single.values(), *flags)):
        values = {str(cells[column]).lower() for _, cells in table.rows} - {""}
        named = {SPLIT_NAMES.get(value) for value in values}
        if "split" not in columns and len(named) > 1 and None not in named:
            faults.add(
                f"column '{column}' of {description.table.name} names splits; write "
                f"`columns: {{split: {column}}}`",
            )
        elif FOLD.fullmatch(column) and not {"split", "group"} & columns.keys():
            faults.add(
                f"column '{column}' of {description.table.name} divides the data already; add a "
                "column 'split' that gives each fold to train, valid or test, or write "
                f"`columns: {{group: {column}}}` to divide by seed and keep each fold in one split",
            )
    if "audio" not in columns:
        faults.add(
            f"no column of {description.table.name} is known to name the audio files; write "
            "`columns: {audio: COLUMN, ...}`",
        )
    if single.get("audio") not in table.header:
        return []
    used = {"", *single.values(), *flags, *FIELDS}
    return [
        Row(
            where,
            {
                name: cells[column] if name in ("audio", *LOCAL) else _composed(cells[column])
                for name, column in single.items()
                if column in cells
            },
            {tag: cells[tag] for tag in flags if tag in cells} if flags else None,
            {name: _composed(cell) for name, cell in cells.items() if name not in used},
        )
        for where, cells in table.rows
    ]


def _columns(
    description: Description, table: Table, faults: Faults
) -> dict[str, str | tuple[str, ...]]:
    """The given columns, and all others that have the name of a content, in any case."""
    columns = dict(description.columns)
    used = {one for given in columns.values() for one in _named(given)}
    for column in table.header:
        name = column.lower()
        if name not in COLUMNS or column in used:
            continue
        named = _named(columns.get(name, ()))
        if named and set(named) <= set(table.header):
            faults.add(
                f"'columns': {name} is read from '{', '.join(named)}', but {table.path.name} has a "
                f"column '{column}' too; rename or remove it",
            )
        columns.setdefault(name, column)
    return columns


def _named(columns: str | tuple[str, ...]) -> tuple[str, ...]:
    return (columns,) if isinstance(columns, str) else columns


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
        own: dict[str, Any] = dict(read_own(self.row, self.description.separator))
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
        key = _key(PurePath(name))
        found = [path] if isfile(path) else list(self.files.get(key, ()))
        if not found and PurePath(name).name:  # the same name in another form of Unicode
            same = self.files.get(_key(PurePath(name).with_suffix("")), ())
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
