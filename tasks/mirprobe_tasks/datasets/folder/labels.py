"""What stands in the cells of a row, as fields of `Annotations`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from mirprobe.api.specs import nearest
from mirprobe.core.errors import TrackError
from mirprobe_tasks.common.checks import parse_note, validate_tempo
from mirprobe_tasks.datasets.folder.description import LABELLED, Description
from mirprobe_tasks.datasets.folder.table import Cell
from mirprobe_tasks.datasets.normalise import normalise_key

Refuse = Callable[[str], None]
"""Is told what is wrong with a row."""

_TRUE, _FALSE = {"1", "1.0", "true", "yes"}, {"", "0", "0.0", "false", "no"}


@dataclass(frozen=True)
class Row:
    """What is said of one track.

    Attributes:
        where: file and row, or the audio file where there is no table.
        cells: one of `description.COLUMNS` -> what its column holds here.
        flags: tag -> what its column holds; None where tags have no columns of their own.
    """

    where: str
    cells: Mapping[str, Cell]
    flags: Mapping[str, Cell] | None = None

    def text(self, name: str) -> str:
        """A cell; empty where there is none."""
        cell = self.cells.get(name, "")
        return cell if isinstance(cell, str) else ", ".join(cell)


def read_labels(row: Row, separator: str, refuse: Refuse) -> dict[str, Any]:
    """The fields of `Annotations` that a row gives; an empty cell gives none.

    Args:
        row: what is said of the track.
        separator: between the tags in one column.
        refuse: is told of each cell that cannot be read.
    """
    values: dict[str, Any] = {}
    for field, read in _READERS.items():
        try:
            if row.cells.get(field):
                values[field] = read(_one(row.cells[field]))
        except ValueError as error:
            refuse(f"{field} '{row.text(field)}': {error}")
    valence, arousal = values.pop("valence", None), values.pop("arousal", None)
    if valence is not None and arousal is not None:
        values["emotion"] = (valence, arousal)
    elif bool(row.text("valence")) != bool(row.text("arousal")):
        refuse("has only one of valence and arousal; give both or neither")
    if row.flags is not None:
        values["tags"] = _flagged(row.flags, refuse)
    elif "tags" in row.cells:
        cell = row.cells["tags"]
        names = cell if isinstance(cell, tuple) else cell.split(separator)
        # a track without any tag is known to have none
        values["tags"] = {name.strip(): 1.0 for name in names if name.strip()}
    return values


def refuse_labels(values: Mapping[str, Any], description: Description, refuse: Refuse) -> None:
    """Look whether all labels are among those that the description names, if it names any."""
    for field in LABELLED:
        known = description.labels.get(field)
        given = values.get(field)
        if not known or given is None:
            continue
        for label in [given] if isinstance(given, str) else given:
            if label not in known:
                refuse(f"{field} '{label}' is not among the 'labels'; {nearest(label, known)}")


def _flagged(flags: Mapping[str, Cell], refuse: Refuse) -> dict[str, float]:
    """The tags whose columns say that they apply."""
    tags = {}
    for tag, cell in flags.items():
        flag = cell.lower() if isinstance(cell, str) else ""
        if flag in _TRUE:
            tags[tag] = 1.0
        elif flag not in _FALSE or not isinstance(cell, str):
            refuse(f"tag '{tag}' is '{flag or cell}'; write 1 or 0")
    return tags


def finite(text: str) -> float:
    """A number.

    Raises:
        ValueError: it is none, or infinite.
    """
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not isfinite(number):
        raise ValueError("write a number")
    return number


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
        raise ValueError("write beats a minute, a number above 0") from error


def _note(text: str) -> str:
    try:
        parse_note(text)
    except TrackError as error:
        raise ValueError('write letter, accidentals and octave such as "A#4"') from error
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
"""How a cell that holds one value is read."""
