"""The folder of one run: `run.json`, `splits/`, `scores.csv`, `predictions/`, `SHA256SUMS`.

A cell is one file in `predictions/`, written atomically. It contains the scores, the predictions
for all test tracks, and the unusable tracks with the reasons. `scores.csv` contains the scores of
all cells. `SHA256SUMS` contains the hash of each file, as the program `sha256sum` writes it.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from mirprobe.core.atomic_write import LEFTOVERS, write_whole
from mirprobe.core.errors import StorageError
from mirprobe.core.hashing import file_digest
from mirprobe.core.schema import Split, Track
from mirprobe.probing.results import Cell
from mirprobe.reporting.cell_file import cell_bytes, cell_file, parse_cell, read_cell
from mirprobe.reporting.run_tables import COLUMNS, PAGE, SUMS, verify


class RunFolder:
    """The folder `path` of one run, which a run writes; `run_tables` reads it."""

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
            cell = read_cell(self.cell_path(encoder, task), lazily=True)
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
        cell = parse_cell(gzip.decompress(content))
        write_whole(self.cell_path(cell.encoder, cell.task), content)
        return cell

    def write_scores(
        self, cells: Sequence[Cell], info: Mapping[str, Mapping[str, Any]]
    ) -> pd.DataFrame:
        """Write `scores.csv`: the rows of all cells in order, with the `info` of their encoders."""
        rows = [{**vars(score), **info[score.encoder]} for cell in cells for score in cell.scores]
        table = pd.DataFrame(rows, columns=COLUMNS)
        table = table.astype({"model_parameters": "Int64", "groups": "Int64"})
        self._write_table("scores.csv", table)
        return table

    def write_differences(self, table: pd.DataFrame) -> None:
        """Write `differences.csv`: the result of `paired_differences.differences`."""
        self._write_table("differences.csv", table)

    def _write_table(self, name: str, table: pd.DataFrame) -> None:
        write_whole(self.path / name, table.to_csv(index=False, lineterminator="\n").encode())

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


def write_splits(folder: Path, splits: Mapping[Split, Sequence[Track]]) -> None:
    """Write the track ids of each split, one per line, to `SPLIT.txt`.

    Raises:
        StorageError: the folder cannot be written.
    """
    for split, tracks in splits.items():
        content = "".join(f"{track.id}\n" for track in tracks)
        write_whole(folder / f"{split}.txt", content.encode())
