"""The folder of one run: `run.json`, `splits/`, `scores.csv`, `predictions/`.

A cell is one file under `predictions/`, written whole: its scores, what was predicted for each test
track, the tracks that could not be used and why. `scores.csv` is those files' scores put together.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pandas as pd

from mirprobe.api.encoder import INFO_COLUMNS
from mirprobe.core.atomic_write import write_whole
from mirprobe.core.errors import StorageError
from mirprobe.core.hashing import digest
from mirprobe.core.schema import Score, Split, Track
from mirprobe.probing.selection import CellResult

COLUMNS = [*(field.name for field in fields(Score)), *INFO_COLUMNS]
DIFFERENCES = [
    "task", "metric", "encoder", "reference", "difference", "low", "high", "n",
    "cell", "reference_cell",
]  # fmt: skip
_ENDS = ("difference", "low", "high")
_LONGEST = 100  # characters of an encoder's name in a file's name
_TYPES = {
    **{field.name: str(field.type) for field in fields(Score)},
    **INFO_COLUMNS,
}
"""Column -> its pandas type; `Int64` are integers that may be missing."""


class RunFolder:
    """Reads and writes one run under `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def cell_path(self, encoder: str, task: str) -> Path:
        """The file of one cell."""
        return self.path / "predictions" / f"{_slug(encoder)}__{_slug(task)}.json.gz"

    def make(self) -> None:
        """Create the folder, so that a run which cannot write its results ends before its work.

        Raises:
            StorageError: it cannot be created.
        """
        try:
            (self.path / "predictions").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(
                f"{self.path}: cannot be created ({error.strerror or error}); name another folder "
                "with --results-dir"
            ) from error

    def read_cell(self, encoder: str, task: str, key: str) -> dict[str, Any] | None:
        """A finished cell, or None where it is missing, damaged or of another `key`."""
        path = self.cell_path(encoder, task)
        try:
            cell = read_cell(path)
        except (FileNotFoundError, StorageError):
            return None  # not there yet, or damaged: either way it is computed again
        return cell if cell.get("key") == key else None

    def write_cell(self, encoder: str, task: str, key: str, result: CellResult) -> dict[str, Any]:
        """Commit a cell whole.

        Raises:
            StorageError: the folder cannot be written.
        """
        cell = {"key": key, "encoder": encoder, "task": task, **asdict(result)}
        content = json.dumps(cell, separators=(",", ":")).encode()
        write_whole(self.cell_path(encoder, task), gzip.compress(content, mtime=0))
        return cell

    def write_scores(
        self, cells: Sequence[Mapping[str, Any]], info: Mapping[str, Mapping[str, Any]]
    ) -> pd.DataFrame:
        """Write `scores.csv`: the rows of all cells, in order, each with its encoder's `info`."""
        rows = [{**row, **info[row["encoder"]]} for cell in cells for row in cell["scores"]]
        table = pd.DataFrame(rows, columns=COLUMNS).astype({"model_parameters": "Int64"})
        content = table.to_csv(index=False, float_format="%.6g", lineterminator="\n")
        write_whole(self.path / "scores.csv", content.encode())
        return table

    def write_differences(self, table: pd.DataFrame) -> None:
        """Write `differences.csv`, of `mirprobe.reporting.paired_differences`."""
        content = table.to_csv(index=False, float_format="%.6g", lineterminator="\n")
        write_whole(self.path / "differences.csv", content.encode())

    def write_splits(self, splits: Mapping[Split, Sequence[Track]]) -> None:
        """Write the track ids of each split, one a line, to `splits/SPLIT.txt`."""
        write_splits(self.path / "splits", splits)

    def write_run(self, description: Mapping[str, Any]) -> None:
        """Write `run.json`: configuration, versions, hardware, hashes, times."""
        write_whole(self.path / "run.json", (json.dumps(description, indent=1) + "\n").encode())


def _slug(spec: str) -> str:
    """A specification as part of a file name."""
    slug = re.sub(r"[^A-Za-z0-9.=-]+", "_", spec)
    if slug != re.sub("[:,]", "_", spec) or len(slug) > _LONGEST:
        # paths and combinations may be long, and may differ only in what the slug leaves out
        slug = f"{slug[:_LONGEST]}-{digest(spec)[:8]}"
    return slug


def write_splits(folder: Path, splits: Mapping[Split, Sequence[Track]]) -> None:
    """Write the track ids of each split, one a line, to `SPLIT.txt`.

    Raises:
        StorageError: the folder cannot be written.
    """
    for split, tracks in splits.items():
        content = "".join(f"{track.id}\n" for track in tracks)
        write_whole(folder / f"{split}.txt", content.encode())


def read_cell(path: Path) -> dict[str, Any]:
    """The content of a cell's file.

    Raises:
        FileNotFoundError: it does not exist.
        StorageError: it is damaged.
    """
    try:
        cell: Any = json.loads(gzip.decompress(path.read_bytes()))
    except FileNotFoundError:
        raise
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise StorageError(f"{path}: damaged ({error}); delete it and run again") from error
    if not isinstance(cell, dict):
        raise StorageError(f"{path}: damaged (not a cell); delete it and run again")
    return cell


def read_scores(run: Path) -> pd.DataFrame:
    """`scores.csv` of a run's folder, with the encoders' `speed` from its `run.json`.

    Speed is seconds of audio encoded in a second; NaN where it is not known.

    Raises:
        StorageError: it is missing or not such a table, or `run.json` is damaged.
    """
    path = run / "scores.csv"
    # a hash may look like a number and a name like a missing value: neither is to be guessed
    numbers = [name for name, kind in _TYPES.items() if kind in ("float", "Int64")]
    blank = {name: [""] for name in numbers}
    try:
        table = pd.read_csv(path, dtype=_TYPES, keep_default_na=False, na_values=blank)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise StorageError(f"{path}: no such file; name the folder of a run") from error
    except (ValueError, OSError) as error:  # pandas' parser errors are ValueErrors
        raise StorageError(f"{path}: not a table of scores ({error}); run again") from error
    missing = [column for column in COLUMNS if column not in table.columns]
    if missing:
        raise StorageError(f"{path}: lacks the columns {', '.join(missing)}; run again")
    return table.assign(speed=table["encoder"].map(_speeds(run)).astype(float))


def read_differences(run: Path) -> pd.DataFrame:
    """`differences.csv` of a run's folder; no rows where it has none.

    Raises:
        StorageError: it is not such a table.
    """
    path = run / "differences.csv"
    kinds = {**dict.fromkeys(DIFFERENCES, "str"), **dict.fromkeys(_ENDS, "float"), "n": "int"}
    try:
        blank = {name: [""] for name in _ENDS}
        table = pd.read_csv(path, dtype=kinds, keep_default_na=False, na_values=blank)
    except FileNotFoundError:
        return pd.DataFrame(columns=DIFFERENCES).astype(kinds)
    except (ValueError, OSError) as error:
        raise StorageError(f"{path}: not a table of differences ({error}); run again") from error
    if list(table.columns) != DIFFERENCES:
        raise StorageError(f"{path}: not a table of differences; run again")
    return table


def _speeds(run: Path) -> dict[str, float]:
    """Encoder -> seconds of audio encoded in a second, where `run.json` knows it."""
    path = run / "run.json"
    try:
        encoders = json.loads(path.read_text(encoding="utf-8"))["encoders"]
        return {spec: float(said["speed"]) for spec, said in encoders.items() if said.get("speed")}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StorageError(f"{path}: damaged ({error}); delete it and run again") from error
