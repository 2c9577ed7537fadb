"""Arrays of one cell in a temporary file: memory holds what is being read, not what was written."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from tempfile import TemporaryFile, gettempdir
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mirprobe.core.atomic_write import writing
from mirprobe.core.errors import StorageError


@dataclass
class Scratch:
    """Room for arrays in a file.

    Attributes:
        folder: of the file, for messages.
        descriptor: of the open file.
        size: bytes that are taken.
    """

    folder: Path
    descriptor: int
    size: int = 0

    def reserve(self, *shape: int) -> Stored:
        """Room for a float32 array."""
        stored = Stored(self, self.size, shape)
        self.size += shape[0] * stored.row_bytes
        return stored

    def keep(self, array: NDArray[np.float32]) -> Stored:
        """Write an array.

        Raises:
            StorageError: the disk is full.
        """
        stored = self.reserve(*array.shape)
        stored.write(0, array)
        return stored

    def joined(self, parts: Sequence[Any]) -> Stored:
        """Arrays of this room that were kept one after another, as one array."""
        first: Stored = parts[0]
        rows = 0
        for part in parts:
            assert part.offset == first.offset + rows * first.row_bytes
            rows += part.shape[0]
        return Stored(self, first.offset, (rows, *first.shape[1:]))


@contextmanager
def scratch(folder: Path | None = None) -> Iterator[Scratch]:
    """A temporary file without a name: a process leaves none, however it ends.

    Args:
        folder: whose disk holds it; None for the system's folder of temporary files.

    Raises:
        StorageError: the folder cannot be written.
    """
    place = folder or Path(gettempdir())
    with writing(place):
        file = TemporaryFile(dir=place, buffering=0)  # noqa: SIM115
    with file:
        yield Scratch(place, file.fileno())


@dataclass(frozen=True, eq=False, slots=True)
class Stored:
    """A float32 array in a file, read and written by rows.

    It reads by position: pages of a memory map would count as memory of this process.

    Attributes:
        scratch: the file.
        offset: of the array's first byte there.
        shape: (rows, ...).
    """

    scratch: Scratch
    offset: int
    shape: tuple[int, ...]

    @property
    def row_bytes(self) -> int:
        """Size of one row."""
        return 4 * prod(self.shape[1:])

    def read(self, start: int = 0, stop: int | None = None) -> NDArray[np.float32]:
        """Rows `start` to `stop`.

        Raises:
            StorageError: the disk fails.
        """
        count = len(range(self.shape[0])[start:stop])
        rows = np.empty((count, *self.shape[1:]), np.float32)
        place = self.offset + start * self.row_bytes
        try:
            found = os.preadv(self.scratch.descriptor, [rows.data], place)
        except OSError as error:
            raise StorageError(f"{self.scratch.folder}: cannot be read ({error})") from error
        assert found == rows.nbytes
        return rows

    def write(self, start: int, rows: NDArray[np.float32]) -> None:
        """Overwrite the rows from `start` on.

        Raises:
            StorageError: the disk is full.
        """
        left = memoryview(rows.astype(np.float32, copy=False).tobytes())
        place = self.offset + start * self.row_bytes
        with writing(self.scratch.folder):
            while left:
                count = os.pwrite(self.scratch.descriptor, left, place)
                left, place = left[count:], place + count
