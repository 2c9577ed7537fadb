"""Logs of a training: CSV files and TensorBoard.

A run that goes on after a kill cuts away what was logged after the step it goes on from. One that
begins anew sets aside what it finds: `training.csv` becomes `training.old.csv`.
"""

from __future__ import annotations

import csv
import io
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from mirprobe.core.atomic_write import replacing, unwritable
from mirprobe.core.errors import StorageError

_KINDS = ("training", "retrieval")


class TrainingLog:
    """Writes rows of figures as they come; each row is flushed.

    Args:
        folder: gets one CSV file a kind of row, and a folder `tensorboard`.
        done: steps done before, -1 for a new training.
        active: False writes nothing, for all processes but the first.

    Raises:
        StorageError: the folder cannot be written, or a log in it not be read.
    """

    def __init__(self, folder: Path, *, done: int, active: bool = True) -> None:
        self._folder, self._active = folder, active
        self._board: Any = None
        if not active:
            return
        for path in (folder / f"{kind}.csv" for kind in _KINDS):
            if path.exists() and done < 0:
                path.replace(path.with_suffix(".old.csv"))
            elif path.exists():
                _cut(path, done)
        from torch.utils.tensorboard import SummaryWriter

        self._hook, threading.excepthook = threading.excepthook, self._thread_failed
        try:
            self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=done + 1)
        except OSError as error:
            threading.excepthook = self._hook
            raise unwritable(folder, error) from error

    def write(self, kind: str, step: int, row: Mapping[str, float | str]) -> None:
        """Append a row to KIND.csv; TensorBoard gets its numbers, under its words.

        Args:
            kind: of the row: `training`, `retrieval`.
            step: steps done.
            row: always the same columns.
        """
        if not self._active:
            return
        path = self._folder / f"{kind}.csv"
        full = {"step": step, **row}
        try:
            with path.open("a", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, list(full))
                if file.tell() == 0:
                    writer.writeheader()
                writer.writerow(full)
            words = [value for value in row.values() if isinstance(value, str)]
            for name, value in row.items():
                if not isinstance(value, str):
                    self._board.add_scalar("/".join((kind, *words, name)), value, step)
            self._board.flush()
        except OSError as error:
            raise unwritable(path, error) from error

    def __enter__(self) -> TrainingLog:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._board is None:
            return
        try:
            self._board.close()
        except OSError as failed:
            if error is None:  # else that one is told
                raise unwritable(self._folder, failed) from failed
        finally:
            threading.excepthook = self._hook

    def _thread_failed(self, failed: threading.ExceptHookArgs) -> None:
        """TensorBoard writes in a thread; what fails there is raised again by the next flush."""
        own = type(failed.thread).__module__.startswith("tensorboard")
        if not (own and issubclass(failed.exc_type, OSError)):
            self._hook(failed)


def _cut(path: Path, done: int) -> None:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            columns = reader.fieldnames
            # a line that a kill cut short lacks its last fields
            rows = [row for row in reader if None not in row.values() and int(row["step"]) <= done]
    except (KeyError, ValueError, csv.Error) as error:
        raise StorageError(f"{path}: not the log of a training ({error}); move it away") from error
    if columns is None:  # a full disk can leave an empty file
        path.unlink()
        return
    text = io.StringIO()
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    writer.writerows(rows)
    with replacing(path) as whole:
        whole.write(text.getvalue().encode())
