"""Finished cells in the folder of the cache, where every run finds them.

A cell is found by its key, so encoders that were scored in one run are not scored again in another.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mirprobe.core.atomic_write import write_whole
from mirprobe.core.errors import StorageError
from mirprobe.core.hashing import digest
from mirprobe.probing.results import Cell
from mirprobe.reporting.cell_file import read_cell

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SharedCells:
    """Finished cells, by the fingerprint of their encoder and by their key.

    Attributes:
        folder: of the cells.
    """

    folder: Path

    def path(self, fingerprint: str, key: str) -> Path:
        """The file of a cell."""
        return self._of(fingerprint) / f"{key}.json.gz"

    def read(self, fingerprint: str, row: Mapping[str, Any]) -> Cell | None:
        """A cell, with the names that a run gives to encoder, task and data set.

        Args:
            fingerprint: of the encoder itself, without principal components.
            row: the fields of `Score` that are the same in all rows; `cell` is the key.

        Returns:
            None if the cell is missing or damaged.
        """
        try:
            cell = read_cell(self.path(fingerprint, row["cell"]))
        except (FileNotFoundError, StorageError):
            return None
        if cell.key != row["cell"]:
            return None
        scores = [replace(score, **row) for score in cell.scores]
        return replace(cell, encoder=row["encoder"], task=row["task"], scores=scores)

    def write(self, fingerprint: str, cell: Cell, content: bytes) -> None:
        """Store a cell; a warning says if it cannot be written.

        Args:
            fingerprint: of the encoder itself, without principal components.
            cell: the cell.
            content: of its file.
        """
        try:
            write_whole(self.path(fingerprint, cell.key), content)
        except StorageError as error:
            log.warning(
                "other runs will not find the cell %s x %s: %s", cell.encoder, cell.task, error
            )

    def discard(self, fingerprint: str) -> None:
        """Delete the cells of an encoder."""
        shutil.rmtree(self._of(fingerprint), ignore_errors=True)

    def _of(self, fingerprint: str) -> Path:
        return self.folder / digest(fingerprint)  # it may be any text, such as `../..`
