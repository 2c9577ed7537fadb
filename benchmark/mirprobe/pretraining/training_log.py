"""Logs of a training: CSV files and TensorBoard event files.

A resumed training removes the rows that were logged after the step that it resumes from. A new
training renames the files that it finds: `training.csv` becomes `training.old.csv`.
"""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from mirprobe.core.atomic_write import replacing, writing
from mirprobe.core.errors import StorageError

_KINDS = ("training", "retrieval")


class TrainingLog:
    """Appends rows of values to the logs and flushes each row.

    TensorBoard events are written in the calling thread, unlike by torch's `SummaryWriter`, so
    that an error of the disk is raised here.

    Args:
        folder: gets one CSV file per kind of row, and a folder `tensorboard`.
        done: steps done before, -1 for a new training.
        active: False writes nothing; for all processes except the first.

    Raises:
        StorageError: the folder cannot be written, or a log in it cannot be read.
    """

    def __init__(self, folder: Path, *, done: int, active: bool = True) -> None:
        self._folder, self._active = folder, active
        if not active:
            return
        for path in (folder / f"{kind}.csv" for kind in _KINDS):
            if path.exists() and done < 0:
                path.replace(path.with_suffix(".old.csv"))
            elif path.exists():
                _truncate(path, done)
        from tensorboard.compat.proto.event_pb2 import SessionLog
        from tensorboard.summary.writer.record_writer import RecordWriter

        board = folder / "tensorboard"
        name = f"events.out.tfevents.{int(time.time())}.{uuid4().hex}"
        with writing(board), ExitStack() as stack:
            board.mkdir(parents=True, exist_ok=True)
            self._events = RecordWriter(stack.enter_context((board / name).open("wb")))
            self._write_event(step=done + 1, file_version="brain.Event:2")
            # TensorBoard drops earlier events from this step on
            self._write_event(step=done + 1, session_log=SessionLog(status=SessionLog.START))
            stack.pop_all()  # the file is closed here after an error only

    def write(self, kind: str, step: int, row: Mapping[str, float | str]) -> None:
        """Append a row to KIND.csv, and its numbers to TensorBoard.

        Args:
            kind: `training` or `retrieval`.
            step: steps done.
            row: always the same columns. In TensorBoard its strings name a group of curves.

        Raises:
            StorageError: the disk cannot be written.
        """
        if not self._active:
            return
        from tensorboard.compat.proto.summary_pb2 import Summary

        path = self._folder / f"{kind}.csv"
        full = {"step": step, **row}
        group = "/".join([kind, *(value for value in row.values() if isinstance(value, str))])
        scalars = [
            Summary.Value(tag=f"{group}/{name}", simple_value=value)
            for name, value in row.items()
            if not isinstance(value, str)
        ]
        with writing(path):
            with path.open("a", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, list(full))
                if file.tell() == 0:
                    writer.writeheader()
                writer.writerow(full)
            self._write_event(step=step, summary=Summary(value=scalars))
            self._events.flush()

    def __enter__(self) -> TrainingLog:
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if self._active:
            # of two errors the first is raised
            with writing(self._folder) if error is None else suppress(OSError):
                self._events.close()

    def _write_event(self, **fields: Any) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        self._events.write(Event(wall_time=time.time(), **fields).SerializeToString())


def _truncate(path: Path, done: int) -> None:
    """Remove the rows after a step, and a row that a kill left incomplete."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            columns = reader.fieldnames
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
