"""Atomic writes: a file exists completely or not at all, even if the writer is killed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from mirprobe.core.errors import StorageError

LEFTOVERS = ".*.tmp"  # what a killed writer may leave in the folder


def write_whole(path: Path, content: bytes) -> None:
    """Write a file atomically, without waiting for the disk: for files that are verified when read.

    Raises:
        StorageError: the folder cannot be written, or the disk is full.
    """
    with replacing(path, wait=False) as file:
        file.write(content)


@contextmanager
def replacing(path: Path, *, wait: bool = True) -> Iterator[BinaryIO]:
    """Open a new file that replaces `path` when the block ends without an error.

    Args:
        path: unchanged if the block fails. Its folder is created if it does not exist.
        wait: for the disk (fsync), so that a power cut leaves no incomplete file.

    Raises:
        StorageError: the folder cannot be written, or the disk is full.
    """
    temporary = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                yield file
                if wait:
                    file.flush()
                    os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """A block that writes a file or folder.

    Raises:
        StorageError: the block raised OSError; names the path and the remedy.
    """
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"{path}: cannot be written ({error.strerror or error}); free space there or name "
            "another folder; what was written before is kept"
        ) from error
