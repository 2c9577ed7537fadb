"""Cells of a row of the table as fields of `Annotations`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mirprobe.api.specs import nearest
from mirprobe.core.errors import TrackError
from mirprobe.core.schema import Beats, Segments
from mirprobe.metrics.pitch_classes import PITCHES
from mirprobe_tasks.common.checks import finite, parse_note, validate_tempo
from mirprobe_tasks.datasets.folder.description import LABELLED, Description
from mirprobe_tasks.datasets.folder.table import Cell
from mirprobe_tasks.datasets.normalise import normalise_key

Refuse = Callable[[str], None]
"""Reports a fault of a row."""

_LIST = re.compile(r"\[(\s*|.*,.*|\s*['\"].*)\]")
TRUE, FALSE = {"1", "1.0", "true", "yes"}, {"", "0", "0.0", "false", "no"}


@dataclass(frozen=True)
class Row:
    """The row of one track.

    Attributes:
        where: file and row, or the audio file if there is no table.
        cells: one of `description.COLUMNS` -> cell of its column.
        flags: tag -> cell of its column; None if tags do not have one column each.
        own: field of the user's own -> cell of its column.
    """

    where: str
    cells: Mapping[str, Cell]
    flags: Mapping[str, Cell] | None = None
    own: Mapping[str, Cell] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """A cell as text; empty if there is none."""
        cell = self.cells.get(name, self.own.get(name, ""))
        return cell if isinstance(cell, str) else ", ".join(cell)


def read_labels(row: Row, separator: str, refuse: Refuse) -> dict[str, Any]:
    """The fields of `Annotations` in a row; an empty cell is no field.

    Args:
        row: of the track.
        separator: between the tags in one column.
        refuse: is called for each cell that cannot be read.
    """
    values: dict[str, Any] = {}
    for name, read in _READERS.items():
        try:
            if row.cells.get(name):
                values[name] = read(_one(row.cells[name]))
        except ValueError as error:
            refuse(f"{name} '{row.text(name)}': {error}")
    valence, arousal = values.pop("valence", None), values.pop("arousal", None)
    if valence is not None and arousal is not None:
        values["emotion"] = (valence, arousal)
    elif bool(row.text("valence")) != bool(row.text("arousal")):
        refuse("has only one of valence and arousal; give both or neither")
    if row.flags is not None:
        values["tags"] = _flagged(row.flags, refuse)
    elif "tags" in row.cells:
        # an empty cell means that no tag applies
        values["tags"] = dict.fromkeys(_words(row, "tags", separator, refuse), 1.0)
    return values


def read_own(row: Row, separator: str, refuse: Refuse) -> dict[str, Any]:
    """The fields of the user's own in a row: a word, or a list of words; an empty cell is none."""
    values: dict[str, str | list[str]] = {}
    for name in row.own:
        if words := _words(row, name, separator, refuse):
            values[name] = words[0] if len(words) == 1 else words
    return values


def _words(row: Row, name: str, separator: str, refuse: Refuse) -> list[str]:
    """The words of a cell."""
    cell = row.cells.get(name, row.own.get(name, ""))
    if isinstance(cell, str) and _LIST.fullmatch(cell):
        refuse(f"{name} '{cell}': is a list of Python; separate its words by '{separator}'")
        return []
    parts = cell if isinstance(cell, tuple) else cell.split(separator)
    return [word.strip() for word in parts if word.strip()]


def refuse_labels(values: Mapping[str, Any], description: Description, refuse: Refuse) -> None:
    """Check that all labels are in the vocabularies of the description, if it has any."""
    for name in (*LABELLED, *(own for own in description.labels if own not in LABELLED)):
        known = description.labels.get(name)
        given = values.get(name)
        if not known or given is None or isinstance(given, Beats):
            continue
        given = given.labels if isinstance(given, Segments) else given
        for label in [given] if isinstance(given, str) else given:
            if label not in known:
                refuse(f"{name} '{label}' is not among the 'labels'; {nearest(label, known)}")


def _flagged(flags: Mapping[str, Cell], refuse: Refuse) -> dict[str, float]:
    """The tags that apply according to their columns."""
    tags = {}
    for tag, cell in flags.items():
        flag = cell.lower() if isinstance(cell, str) else ""
        if flag in TRUE:
            tags[tag] = 1.0
        elif flag not in FALSE or not isinstance(cell, str):
            refuse(f"tag '{tag}' is '{flag or cell}'; write 1 or 0")
    return tags


def _one(cell: Cell) -> str:
    if isinstance(cell, tuple):
        raise ValueError("holds several values; give one")
    return cell


def _key(text: str) -> str:
    try:
        return normalise_key(text)
    except ValueError as error:
        raise ValueError('write tonic and mode such as "C# minor"') from error


def _tempo(text: str) -> float:
    try:
        return validate_tempo(finite(text))
    except (ValueError, TrackError) as error:
        raise ValueError("write beats per minute, a number above 0") from error


def _note(text: str) -> str:
    """A note name; a MIDI number becomes the name of its note, 60 is C4."""
    number = text.removesuffix(".0")
    if number.isdecimal() and int(number) < 128:
        return f"{PITCHES[int(number) % 12]}{int(number) // 12 - 1}"
    try:
        parse_note(text)
    except TrackError as error:
        raise ValueError(
            'write letter, accidentals and octave such as "A#4", or a MIDI number from 0 to 127'
        ) from error
    return text


_READERS: Mapping[str, Callable[[str], Any]] = {
    "key": _key,
    "tempo": _tempo,
    "pitch": _note,
    "instrument": str,
    "genre": str,
    "valence": finite,
    "arousal": finite,
}
"""Readers of cells that hold one value."""
