"""Files that are there whole or not at all, whoever is killed or whatever disk is full."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from mirprobe.core.errors import StorageError

LEFTOVERS = ".*.tmp"  # what a killed writer may leave beside its file


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whose damage would be noticed when it is read: no wait for the disk.

    Raises:
        StorageError: the folder cannot be written, or the disk is full.
    """
    with replacing(path, wait=False) as file:
        file.write(content)


@contextmanager
def replacing(path: Path, *, wait: bool = True) -> Iterator[BinaryIO]:
    """Open a new file that takes the place of `path` when the block ends well.

    Args:
        path: stays as it was if the block fails; its folder is made where it is missing.
        wait: until the disk has it, so that not even a power cut leaves half of it.

    Raises:
        StorageError: the folder cannot be written, or the disk is full.
    """
    temporary = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
    try:
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
    except OSError as error:
        raise unwritable(path, error) from error


def unwritable(path: Path, error: OSError) -> StorageError:
    """What is raised where a file cannot be written."""
    return StorageError(
        f"{path}: cannot be written ({error.strerror or error}); free space there or name "
        "another folder; what was written before is kept"
    )
