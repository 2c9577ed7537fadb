"""A lock on a folder: only one process writes to it. A killed process does not leave it locked."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mirprobe.core.atomic_write import writing
from mirprobe.core.errors import StorageError

LOCK = ".lock"


@contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, which is created if it is missing.

    The kernel holds the lock (flock) and releases it when the process ends, however it ends. The
    empty file `.lock` stays in the folder. A file system without locks is used without one.

    Raises:
        StorageError: another process holds the lock, or the folder cannot be written.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        with suppress(OSError):  # the file system has no locks
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StorageError(
                    f"{folder}: another process writes to this folder; wait until it ends, or name "
                    "another folder"
                ) from None
        yield
    finally:
        os.close(descriptor)
