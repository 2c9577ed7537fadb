"""The rows of a folder's table, or of its audio files if there is no table."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from unicodedata import normalize

from mirprobe.api.specs import nearest
from mirprobe.core.schema import Split
from mirprobe_tasks.datasets.folder.audio_files import AUDIO
from mirprobe_tasks.datasets.folder.description import COLUMNS, FIELDS, LOCAL, Description
from mirprobe_tasks.datasets.folder.faults import Faults
from mirprobe_tasks.datasets.folder.labels import FALSE, TRUE, Row
from mirprobe_tasks.datasets.folder.table import Cell, Table, read_table

SPLIT_NAMES: Mapping[str, Split] = {
    **dict.fromkeys(("train", "training", "tr"), "train"),
    **dict.fromkeys(("valid", "validation", "val", "dev", "development"), "valid"),
    **dict.fromkeys(("test", "testing", "te", "eval", "evaluation", "holdout", "heldout"), "test"),
}
"""Names of splits, in small letters."""

FOLD = re.compile(
    r"(cv|cross|k)?[\W_]*folds?[\W_]*\d*|(cv|(sub)?set|split|partition)[\W_]*\d+", re.IGNORECASE
)
"""Names of the columns and folders of a cross-validation, or of numbered sets."""


def split_in_path(audio: Path, folder: Path) -> Split | None:
    """The split that a word in the path of an audio file below `folder` names, as `01_train`."""
    inside = audio.is_relative_to(folder)
    text = (audio.relative_to(folder) if inside else audio).with_suffix("").as_posix().lower()
    words = [word.removesuffix("set") for word in re.split(r"[\W\d_]+", text)]
    # words of two letters occur in other names
    found = {SPLIT_NAMES[word] for word in words if len(word) > 2 and word in SPLIT_NAMES}
    return found.pop() if len(found) == 1 else None


def _composed(cell: Cell) -> Cell:
    """A cell in one form of Unicode, so that equal names are equal."""
    if isinstance(cell, str):
        return normalize("NFC", cell)
    return tuple(normalize("NFC", text) for text in cell)


def rows_of_files(
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


def rows_of_table(description: Description, faults: Faults) -> list[Row]:
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
        elif (
            "split" not in columns
            and re.sub(r"^is|[\W_]", "", column.lower()) in SPLIT_NAMES
            and values <= {*TRUE, *FALSE}
        ):
            faults.add(
                f"column '{column}' of {description.table.name} marks a split; write train, valid "
                "or test for each track in a column 'split'",
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
    _check_separator(description, table, single.get("tags", ""), faults)
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


def _check_separator(description: Description, table: Table, column: str, faults: Faults) -> None:
    """Report a column of tags that are separated by something else than the description says."""
    cells = [cells.get(column, "") for _, cells in table.rows]
    given = "".join(cell for cell in cells if isinstance(cell, str))
    other = next((one for one in ",|;" if one in given), None)
    if description.separator not in given and other and "tags" not in description.labels:
        faults.add(
            f"column '{column}' of {table.path.name} never holds the separator "
            f"{description.separator!r}, but {other!r}; write `separator: {other!r}`, or list the "
            "tags in `labels: {tags: [...]}`"
        )


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
