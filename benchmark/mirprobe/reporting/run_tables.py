"""Reading of a run's folder, or of one in a zip file: tables, description, hashes of files."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile, is_zipfile
from zipfile import Path as ZipPath

import numpy as np
import pandas as pd

from mirprobe.api.encoder import INFO_COLUMNS, NOT_DECLARED
from mirprobe.core.errors import StorageError
from mirprobe.core.hashing import stream_digest
from mirprobe.core.schema import Score

COLUMNS = [*(field.name for field in fields(Score)), *INFO_COLUMNS]
DIFFERENCES = [
    "task", "metric", "encoder", "reference", "difference", "low", "high", "n",
    "cell", "reference_cell", "groups", "interval", "p",
]  # fmt: skip
NUMBERS = {"difference": "float", "low": "float", "high": "float", "p": "float", "groups": "Int64"}
_LATER: dict[str, Any] = {
    **{field.name: field.default for field in fields(Score) if field.default is not MISSING},
    "groups": pd.NA,
    "p": np.nan,
    "trained_on": NOT_DECLARED,
}
"""Columns that runs of earlier versions lack, and how these are read."""
SUMS = "SHA256SUMS"
_OBJECTS = ("config", "tasks", "files", "versions", "hardware", "problems", "failures")
"""Fields of `run.json`, beside `encoders`, that are JSON objects where they are given."""
PAGE = "report.html"
"""Made from the other files, when they are complete."""
_TYPES = {
    **{field.name: str(field.type) for field in fields(Score)},
    **INFO_COLUMNS,
    "groups": "Int64",
}
"""Column -> its pandas type; `Int64`: integers with missing values."""


AnyPath = Path | ZipPath
"""A folder, or a folder in a zip file."""


def root_of(path: AnyPath) -> AnyPath:
    """The folder of a run: `path` itself, or the one in a zip file.

    Raises:
        StorageError: the file is no zip file of a run, or is damaged.
    """
    if isinstance(path, ZipPath) or not path.is_file():
        return path
    archive = _opened_zip(path) if is_zipfile(path) else None
    for root in [archive, *archive.iterdir()] if archive else []:
        if (root / "scores.csv").exists():
            return root
    raise StorageError(f"{path}: neither the folder of a run nor a zip file of one")


def _opened_zip(path: Path) -> ZipPath:
    """A zip file whose content can be read.

    Raises:
        StorageError: it cannot: an entry is damaged or encrypted.
    """
    try:
        archive = ZipFile(path)
        bad = archive.testzip()
    except (OSError, EOFError, BadZipFile, zlib.error, RuntimeError) as error:
        raise StorageError(f"{path}: damaged zip file ({error}); copy it again") from error
    if bad is not None:
        raise StorageError(f"{path}: damaged zip file (wrong checksum of {bad}); copy it again")
    return ZipPath(archive)


def verify(run: AnyPath, name: str) -> None:
    """Compare a file of a run folder with `SHA256SUMS`.

    Runs of earlier versions, and runs that are not finished, have no sums: nothing is compared.

    Raises:
        StorageError: the file was changed after the run.
    """
    try:
        sums = (run / SUMS).read_bytes()
        with (run / name).open("rb") as file:
            line = f"{stream_digest(file)}  {name}"
    except (FileNotFoundError, NotADirectoryError):
        return
    if line.encode() not in sums.splitlines():
        raise StorageError(
            f"{run / name}: was changed after the run (its hash is not in {SUMS}); run again, or "
            f"delete {run / SUMS} to read the file as it is"
        )


def read_scores(run: AnyPath) -> pd.DataFrame:
    """`scores.csv` of a run folder, with the `speed` of each encoder from `run.json`.

    Speed is the number of seconds of audio encoded per second; NaN if it is unknown.

    Raises:
        StorageError: `scores.csv` is missing or not a table of scores, or `run.json` is damaged, or
            one of them was changed after the run.
    """
    path = run / "scores.csv"
    verify(run, path.name)
    # explicit types: a hash may look like a number, and a name like a missing value
    numbers = [name for name, kind in _TYPES.items() if kind in ("float", "Int64")]
    blank = {name: [""] for name in numbers}
    try:
        table = _read_csv(path, _TYPES, blank)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise StorageError(f"{path}: no such file; name the folder of a run") from error
    except (ValueError, OSError) as error:  # pandas' parser errors are ValueErrors
        raise StorageError(f"{path}: not a table of scores ({error}); run again") from error
    table = _completed(table, COLUMNS)
    missing = [column for column in COLUMNS if column not in table.columns]
    if missing:
        raise StorageError(f"{path}: lacks the columns {', '.join(missing)}; run again")
    return table.assign(speed=table["encoder"].map(_speeds(run)).astype(float))


def read_differences(run: AnyPath) -> pd.DataFrame:
    """`differences.csv` of a run folder; no rows if the file is missing.

    Raises:
        StorageError: the file is not a table of differences, or was changed after the run.
    """
    path = run / "differences.csv"
    verify(run, path.name)
    kinds = {**dict.fromkeys(DIFFERENCES, "str"), **NUMBERS, "n": "int"}
    try:
        blank = {name: [""] for name in NUMBERS}
        table = _completed(_read_csv(path, kinds, blank), DIFFERENCES)
    except FileNotFoundError:
        return pd.DataFrame(columns=DIFFERENCES).astype(kinds)
    except (ValueError, OSError) as error:
        raise StorageError(f"{path}: not a table of differences ({error}); run again") from error
    if list(table.columns) != DIFFERENCES:
        raise StorageError(f"{path}: not a table of differences; run again")
    return table


def _completed(table: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """The table with the columns that runs of earlier versions lack."""
    lacking = [name for name in _LATER if name in columns and name not in table.columns]
    table = table.assign(**{name: _LATER[name] for name in lacking})
    return table.astype({"groups": "Int64"})


def _read_csv(
    path: AnyPath, kinds: Mapping[str, str], blank: Mapping[str, list[str]]
) -> pd.DataFrame:
    """A table with the given column types; numbers are read exactly.

    Converters read floats exactly in every version of pandas. Its own parser rounds up to 3.0, and
    the option `float_precision` is deprecated since 3.1.

    Raises:
        ValueError: a value has another type.
    """
    floats = [name for name, kind in kinds.items() if kind == "float"]
    try:
        # pandas casts infinity to some integer
        with np.errstate(invalid="raise"), path.open("rb") as file:
            table = pd.read_csv(
                file,
                dtype={name: kind for name, kind in kinds.items() if name not in floats},
                converters=dict.fromkeys(floats, lambda text: float(text or "nan")),
                keep_default_na=False,
                na_values=blank,
            )
        # without rows pandas knows no type
        return table.astype({name: "float" for name in floats if name in table})
    except (TypeError, ArithmeticError) as error:  # of integers
        raise ValueError(str(error)) from error


def read_description(run: AnyPath) -> dict[str, Any]:
    """The content of `run.json`; empty if the file is missing.

    Raises:
        StorageError: the file is damaged.
    """
    path = run / "run.json"
    verify(run, path.name)
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise damaged(path, error) from error
    if not isinstance(values, dict) or not isinstance(values.get("encoders"), dict):
        raise damaged(path, "no description of a run")
    odd = [name for name in _OBJECTS if not isinstance(values.get(name, {}), dict)]
    odd += [
        f"{name}.{key}"
        for name in ("encoders", "tasks")
        if name not in odd
        for key, value in values.get(name, {}).items()
        if not isinstance(value, dict)
    ]
    if odd:
        raise damaged(path, f"'{odd[0]}' is no object")
    return values


def _speeds(run: AnyPath) -> dict[str, float]:
    """Encoder -> seconds of audio encoded per second, if `run.json` contains it."""
    encoders = read_description(run).get("encoders", {})
    try:
        return {
            spec: float(entry["speed"]) for spec, entry in encoders.items() if entry.get("speed")
        }
    except (ValueError, TypeError, AttributeError) as error:
        raise damaged(run / "run.json", error) from error


def damaged(path: AnyPath, reason: object) -> StorageError:
    """The error of a file of a run that cannot be read."""
    return StorageError(f"{path}: damaged ({reason}); delete it and run again")
