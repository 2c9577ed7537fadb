"""A user's table: header and rows of text, from CSV or Parquet."""

from __future__ import annotations

import csv
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unicodedata import normalize

import numpy as np
import pandas as pd

from mirprobe.api.dataset import is_text
from mirprobe.core.errors import ConfigError
from mirprobe_tasks.datasets.folder.faults import Faults

log = logging.getLogger(__name__)

_MISSING: set[Any] = {"nan", "NaN", "None", "null", "NULL", "<NA>", "N/A"}
"""What other programs write for a missing value."""

Cell = str | tuple[str, ...]
"""Content of a cell without surrounding blanks; several values for a Parquet list."""


@dataclass(frozen=True)
class Table:
    """Rows by column.

    Attributes:
        path: of the file.
        header: names of the columns.
        rows: place of each row, such as `labels.csv row 2`, and its cells by column. The header of
            a CSV file is row 1, as in a spreadsheet; the first row of a Parquet file is row 1.
    """

    path: Path
    header: tuple[str, ...]
    rows: Sequence[tuple[str, Mapping[str, Cell]]]


def read_table(path: Path, delimiter: str, faults: Faults) -> Table:
    """Read a `.csv`, `.tsv` or `.parquet` file.

    Args:
        path: CSV and TSV in UTF-8, with or without a byte order mark.
        delimiter: between the fields of a `.csv` file.
        faults: collects rows with another number of fields than the header; they are left out.

    Raises:
        ConfigError: the file cannot be read, has no rows, or has two columns of one name.
    """
    if path.suffix == ".parquet":
        table = _read_parquet(path)
    else:
        table = _read_csv(path, "\t" if path.suffix == ".tsv" else delimiter, faults)
    for where, cells in ((f"{path.name} header", {"": table.header}), *table.rows):
        if not all(map(_is_plain, cells.values())):
            faults.add("has a line break or a NUL in a field; close the quote before it", where)
    text = [name for name in table.header if any(_MISSING & {row[name]} for _, row in table.rows)]
    if text:
        log.warning(
            "%s: columns %s hold words such as nan or None, which are read as values; leave cells "
            "empty where a value is missing",
            path.name,
            ", ".join(text),
        )
    double = {name for name in table.header if table.header.count(name) > 1}
    if double:
        raise ConfigError(f"{path}: has two columns '{min(double)}'; rename one")
    if not table.rows and not faults:
        raise ConfigError(f"{path}: has no rows; add one for each track")
    return table


def _is_plain(cell: Cell) -> bool:
    return all(
        is_text(text) and "\0" not in text for text in ((cell,) if isinstance(cell, str) else cell)
    )


def _read_csv(path: Path, delimiter: str, faults: Faults) -> Table:
    rows: list[tuple[str, Mapping[str, Cell]]] = []
    header: tuple[str, ...] = ()
    number = 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            for number, texts in enumerate(reader, start=1):
                cells = [text.strip() for text in texts]
                where = f"{path.name} row {number}"
                if not any(cells):
                    continue
                if not header:
                    header = tuple(normalize("NFC", name) for name in cells)
                elif len(cells) != len(header):
                    faults.add(
                        f"has {len(cells)} fields, the header {len(header)}; quote what holds a "
                        f"{delimiter!r}",
                        where,
                    )
                else:
                    rows.append((where, dict(zip(header, cells, strict=True))))
    except csv.Error as error:
        raise ConfigError(
            f"{path}: row {number + 1}: {error}; close the quote that begins a field, and double a "
            "quote inside it"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}); save it as CSV in UTF-8") from error
    other = next((one for one in ";\t|," if len(header) == 1 and one in header[0]), None)
    if other is not None:
        raise ConfigError(
            f"{path}: its header is one field, '{header[0]}'; write `delimiter: {other!r}` in the "
            "description"
        )
    return Table(path, header, rows)


def _read_parquet(path: Path) -> Table:
    try:
        frame = pd.read_parquet(path)
    except ImportError as error:
        raise ConfigError(
            f"{path}: Parquet needs pyarrow; `pip install mirprobe[parquet]`, or save it as CSV"
        ) from error
    except (OSError, ValueError) as error:  # base classes of pyarrow's errors
        raise ConfigError(f"{path}: cannot be read as Parquet ({error}); save it again") from error
    header = tuple(normalize("NFC", str(name)) for name in frame.columns)
    rows = []
    for number, values in enumerate(frame.itertuples(index=False, name=None), start=1):
        where = f"{path.name} row {number}"
        try:
            rows.append((where, dict(zip(header, map(_cell, values), strict=True))))
        except TypeError as error:
            raise ConfigError(f"{path}: row {number}: {error}; write text or numbers") from error
    return Table(path, header, rows)


def _cell(value: Any) -> Cell:
    """A value of a data frame as in a CSV file; a missing value is the empty text."""
    if isinstance(value, np.ndarray | list | tuple):
        return tuple(_text(one) for one in value if one is not None)
    return _text(value)


def _text(value: Any) -> str:
    if isinstance(value, bytes | dict | list | np.ndarray):
        raise TypeError(f"a cell holds {type(value).__name__}")
    if value is None or value is pd.NA or value != value:  # NaN differs from itself
        return ""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))  # a missing value makes a column of integers one of floats
    return str(value).strip()
