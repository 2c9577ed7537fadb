"""The folder of one run: `run.json`, `splits/`, `scores.csv`, `predictions/`, `SHA256SUMS`.

A cell is one file in `predictions/`, written atomically. It contains the scores, the predictions
for all test tracks, and the unusable tracks with the reasons. `scores.csv` contains the scores of
all cells. `SHA256SUMS` contains the hash of each file, as the program `sha256sum` writes it.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, fields, replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, is_zipfile
from zipfile import Path as ZipPath

import numpy as np
import pandas as pd

from mirprobe.api.encoder import INFO_COLUMNS, NOT_DECLARED
from mirprobe.core.annotations import from_json, to_json
from mirprobe.core.atomic_write import LEFTOVERS, write_whole
from mirprobe.core.errors import StorageError
from mirprobe.core.hashing import digest, file_digest, stream_digest
from mirprobe.core.schema import Score, Split, Track
from mirprobe.probing.results import Cell, Prediction

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
PAGE = "report.html"
"""Made from the other files, when they are complete."""
_LONGEST = 100  # limit of a specification in a file name, in characters
_TYPES = {
    **{field.name: str(field.type) for field in fields(Score)},
    **INFO_COLUMNS,
    "groups": "Int64",
}
"""Column -> its pandas type; `Int64`: integers with missing values."""


AnyPath = Path | ZipPath
"""A folder, or a folder in a zip file."""


class RunFolder:
    """Reads and writes the folder `path` of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def cell_path(self, encoder: str, task: str) -> Path:
        """The file of one cell."""
        return self.path / cell_file(encoder, task)

    def make(self) -> None:
        """Create the folder; called first, so that a run that cannot write fails at once.

        Deletes tables that were changed after the run: they are written again.

        Raises:
            StorageError: the folder cannot be created.
        """
        try:
            (self.path / "predictions").mkdir(parents=True, exist_ok=True)
            for name in ("run.json", "differences.csv", "references.json.gz"):
                try:
                    verify(self.path, name)
                except StorageError:
                    (self.path / name).unlink()
            (self.path / SUMS).unlink(missing_ok=True)  # until the run ends
        except OSError as error:
            raise StorageError(
                f"{self.path}: cannot be created ({error.strerror or error}); name another folder "
                "with --results-dir"
            ) from error

    def read_cell(self, encoder: str, task: str, key: str) -> Cell | None:
        """A finished cell; None if it is missing, is damaged or has a different `key`."""
        try:
            cell = read_cell(self.cell_path(encoder, task))
        except (FileNotFoundError, StorageError):
            return None  # missing or damaged: it is computed again
        return cell if cell.key == key else None

    def write_cell(self, cell: Cell) -> Cell:
        """Write a cell atomically.

        Returns:
            The cell as `read_cell` returns it.

        Raises:
            StorageError: the folder cannot be written.
        """
        return self.write_content(cell_bytes(cell))

    def write_content(self, content: bytes) -> Cell:
        """Write the content of a cell's file, made by `cell_bytes`; see `write_cell`."""
        cell = _parse_cell(gzip.decompress(content))
        write_whole(self.cell_path(cell.encoder, cell.task), content)
        return cell

    def write_scores(
        self, cells: Sequence[Cell], info: Mapping[str, Mapping[str, Any]]
    ) -> pd.DataFrame:
        """Write `scores.csv`: the rows of all cells in order, with the `info` of their encoders."""
        rows = [{**vars(score), **info[score.encoder]} for cell in cells for score in cell.scores]
        table = pd.DataFrame(rows, columns=COLUMNS)
        table = table.astype({"model_parameters": "Int64", "groups": "Int64"})
        content = table.to_csv(index=False, lineterminator="\n")
        write_whole(self.path / "scores.csv", content.encode())
        return table

    def write_differences(self, table: pd.DataFrame) -> None:
        """Write `differences.csv`: the result of `paired_differences.differences`."""
        content = table.to_csv(index=False, lineterminator="\n")
        write_whole(self.path / "differences.csv", content.encode())

    def write_splits(self, splits: Mapping[Split, Sequence[Track]]) -> None:
        """Write the track ids of each split, one per line, to `splits/SPLIT.txt`."""
        write_splits(self.path / "splits", splits)

    def write_run(self, description: Mapping[str, Any]) -> None:
        """Write `run.json`: configuration, versions, hardware, hashes, times."""
        write_whole(self.path / "run.json", (json.dumps(description, indent=1) + "\n").encode())

    def write_sums(self) -> None:
        """Write `SHA256SUMS`; called last."""
        paths = [path for path in sorted(self.path.rglob("*")) if path.is_file()]
        lines = [
            f"{file_digest(path)}  {path.relative_to(self.path).as_posix()}\n"
            for path in paths
            if not path.match(LEFTOVERS) and path.name != PAGE
        ]
        write_whole(self.path / SUMS, "".join(lines).encode())


def cell_file(encoder: str, task: str) -> str:
    """The path of a cell's file in the folder of a run."""
    return f"predictions/{_slug(encoder)}__{_slug(task)}.json.gz"


def _slug(spec: str) -> str:
    """A specification as part of a file name."""
    slug = re.sub(r"[^A-Za-z0-9.=-]+", "_", spec)
    if slug != re.sub("[:,]", "_", spec) or len(slug) > _LONGEST:
        # specifications may be long, or differ only in characters that the slug replaces
        slug = f"{slug[:_LONGEST]}-{digest(spec)[:8]}"
    return slug


def write_splits(folder: Path, splits: Mapping[Split, Sequence[Track]]) -> None:
    """Write the track ids of each split, one per line, to `SPLIT.txt`.

    Raises:
        StorageError: the folder cannot be written.
    """
    for split, tracks in splits.items():
        content = "".join(f"{track.id}\n" for track in tracks)
        write_whole(folder / f"{split}.txt", content.encode())


def cell_bytes(cell: Cell) -> bytes:
    """The content of the file of a cell."""
    predictions = [
        {
            **{field.name: getattr(one, field.name) for field in fields(one)},
            "tracks": {track: to_json(estimate) for track, estimate in one.tracks.items()},
        }
        for one in cell.predictions
    ]
    content = json.dumps(
        asdict(replace(cell, predictions=[])) | {"predictions": predictions},
        separators=(",", ":"),
    )
    return gzip.compress(content.encode(), mtime=0)


def read_cell(path: AnyPath) -> Cell:
    """Read a cell from its file.

    Raises:
        FileNotFoundError: the file does not exist.
        StorageError: the file is damaged.
    """
    try:
        return _parse_cell(gzip.decompress(path.read_bytes()))
    except FileNotFoundError:
        raise
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise damaged(path, error) from error
    except (KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise damaged(path, "not a cell") from error


def _parse_cell(content: str | bytes) -> Cell:
    values: Any = json.loads(content)
    return Cell(
        key=values["key"],
        encoder=values["encoder"],
        task=values["task"],
        scores=[Score(**row) for row in values["scores"]],
        predictions=[
            Prediction(**{**one, "tracks": {k: from_json(v) for k, v in one["tracks"].items()}})
            for one in values["predictions"]
        ],
        problems=values["problems"],
    )


def root_of(path: AnyPath) -> AnyPath:
    """The folder of a run: `path` itself, or the one in a zip file.

    Raises:
        StorageError: the file is no zip file of a run.
    """
    if isinstance(path, ZipPath) or not path.is_file():
        return path
    try:
        archive = ZipPath(path) if is_zipfile(path) else None
    except (OSError, BadZipFile) as error:
        raise StorageError(f"{path}: not readable as a zip file ({error})") from error
    for root in [archive, *archive.iterdir()] if archive else []:
        if (root / "scores.csv").exists():
            return root
    raise StorageError(f"{path}: neither the folder of a run nor a zip file of one")


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

    Raises:
        ValueError: a value has another type.
    """
    try:
        # pandas casts infinity to some integer
        with np.errstate(invalid="raise"), path.open("rb") as file:
            return pd.read_csv(
                file,
                dtype=kinds,
                keep_default_na=False,
                na_values=blank,
                float_precision="round_trip",
            )
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
