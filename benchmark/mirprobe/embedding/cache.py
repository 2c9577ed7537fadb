"""A content-addressed store of embeddings. Entries are written atomically and verified when opened.

An entry's name is a hash of the encoder's fingerprint, the audio bytes, the view (clip or frames),
the layers, the number type and any reduced precision. It is a safetensors file whose metadata
describe it and contain a checksum. `embeddings_cache/README.md` explains the layout.

At an address (`s3://bucket/path`) the same entries have the same names. An entry that is read or
written has a local copy, from which it is read afterwards.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from mirprobe.core.atomic_write import write_whole
from mirprobe.core.errors import StorageError
from mirprobe.core.hashing import digest, file_digest
from mirprobe.core.schema import Floating
from mirprobe.embedding.remote_store import RemoteStore, is_url, local_folder

log = logging.getLogger(__name__)

SUFFIX = ".safetensors"
BROKEN = ".broken"


@dataclass(frozen=True)
class Entry:
    """One verified cache entry, read through a memory map.

    Attributes:
        path: the file.
        shape: of its array.
        metadata: encoder, view, layers, duration and all else that was stored with the array.
    """

    path: Path
    shape: tuple[int, ...]
    metadata: dict[str, str]

    def read(self, start: int = 0, stop: int | None = None) -> Floating:
        """Rows `start` to `stop` of the array; only these are read from the disk.

        Raises:
            StorageError: the file is gone or broken since it was verified.
        """
        end = self.shape[0] if stop is None else stop
        try:
            with safe_open(self.path, framework="numpy") as file:
                rows: Floating = file.get_slice("embedding")[start:end]
        except (SafetensorError, OSError) as error:
            raise StorageError(
                f"{self.path}: gone or broken since it was verified ({error}); start again"
            ) from error
        return rows


class Cache:
    """The store at `place`, a folder or an address. Several processes may share it.

    Args:
        place: of the entries.
        folder: of the local files: hashes of files and, for a store at an address, copies of its
            entries. None means `place`, or for an address the default folder of the cache.

    Attributes:
        place: as given.
        folder: as given, or the default.
        root: the folder of the entries, or of their copies.
        remote: the files at the address, or None.

    Raises:
        ConfigError: no file system supports the address, or its package is not installed.
    """

    def __init__(self, place: Path | str, folder: Path | None = None) -> None:
        self.place = place
        self.folder = local_folder(place) if folder is None else folder
        self.remote = RemoteStore(str(place)) if is_url(place) else None
        self.root = self.folder
        if self.remote is not None:
            self.root = self.folder / "copies" / digest(self.remote.url)[:12]
        self._open: dict[str, Entry] = {}

    def path(self, key: str) -> Path:
        """The file of the entry of `key`, or of its copy."""
        return self.root / _name(key)

    def exists(self, key: str) -> bool:
        """Whether an entry of `key` exists, valid or broken.

        Raises:
            StorageError: the address does not answer.
        """
        if self.remote is not None:
            return self.remote.exists(_name(key))
        return self.path(key).exists()

    def get(self, key: str) -> Entry | None:
        """The entry of `key`, or None if it is missing or broken.

        An entry that fails to open or has a wrong checksum is reported and renamed to `.broken`.

        Raises:
            StorageError: the address does not answer, or its copy cannot be written.
        """
        if key not in self._open:
            path = self.path(key)
            if not path.exists() and not self._fetched(key):
                return None
            try:
                self._open[key] = verify(path)
            except (SafetensorError, ValueError, KeyError, OSError) as error:
                log.warning("cache entry %s is broken (%s): set aside, computed again", path, error)
                with suppress(OSError):  # another run was faster, or the folder is read-only
                    path.replace(path.with_suffix(BROKEN))
                return None
        return self._open[key]

    def put(self, key: str, array: Floating, metadata: dict[str, str]) -> Entry:
        """Store an array atomically: write it under a temporary name, then rename it.

        Raises:
            StorageError: the folder or address cannot be written, or the disk is full.
        """
        path = self.path(key)
        array = np.ascontiguousarray(array)
        described = {**metadata, "checksum": _checksum(array, metadata)}
        content = _saved(array, described)
        if self.remote is not None:  # before the copy, so that every copy has an entry
            self.remote.write(_name(key), content)
        write_whole(path, content)
        self._open[key] = Entry(path, array.shape, dict(metadata))
        return self._open[key]

    def discard(self, keys: Iterable[str]) -> None:
        """Delete entries.

        Raises:
            StorageError: one cannot be deleted.
        """
        for key in keys:
            self._open.pop(key, None)
            try:
                self.remove(self.path(key))
            except OSError as error:
                raise StorageError(
                    f"{self.path(key)}: cannot be deleted ({error}); delete it, it is wrong"
                ) from error

    def remove(self, path: Path) -> None:
        """Delete a file of the cache, at the address too.

        Raises:
            StorageError: the address does not answer, or refuses.
        """
        if self.remote is not None and path.is_relative_to(self.root):
            self.remote.delete(path.relative_to(self.root).as_posix())
        path.unlink(missing_ok=True)

    def _fetched(self, key: str) -> bool:
        """Whether the address has the entry; if so, make the local copy."""
        content = None if self.remote is None else self.remote.read(_name(key))
        if content is not None:
            write_whole(self.path(key), content)
        return content is not None

    def entries(self) -> Iterator[Path]:
        """Every entry's file."""
        yield from sorted((self.root / "entries").glob(f"*/*{SUFFIX}"))

    def leftovers(self) -> Iterator[Path]:
        """Broken entries and temporary files of killed runs."""
        for pattern in (f"*/*{BROKEN}", "*/*.tmp"):
            yield from sorted((self.root / "entries").glob(pattern))

    @property
    def cells(self) -> Path:
        """The folder of the finished cells of all runs."""
        return self.folder / "cells"

    @cached_property
    def hashes(self) -> HashMemo:
        """Hashes of files, stored by path, size and modification time."""
        return HashMemo(self.folder / "hashes.sqlite")


def _name(key: str) -> str:
    return f"entries/{key[:2]}/{key}{SUFFIX}"


def entry_key(
    fingerprint: str,
    audio: str,
    view: str,
    layers: tuple[str, ...],
    dtype: str,
    precision: str = "32",
) -> str:
    """The name of an entry: everything that its numbers depend on."""
    # entries without autocast have the same key as before it was supported
    autocast = [] if precision == "32" else [precision]
    return digest("entry", fingerprint, audio, view, list(layers), dtype, *autocast)


def verify(path: Path) -> Entry:
    """Open an entry and verify its checksum.

    Raises:
        SafetensorError, ValueError, KeyError, OSError: it is truncated, damaged or not an entry.
    """
    with safe_open(path, framework="numpy") as file:
        metadata = dict(file.metadata() or {})
        array = file.get_tensor("embedding")
    if metadata.pop("checksum") != _checksum(array, metadata):
        raise ValueError("its checksum is wrong")
    return Entry(path, array.shape, metadata)


def _saved(array: Floating, metadata: dict[str, str]) -> bytes:
    """A safetensors file with the same bytes in every process.

    The order in which the library writes the fields of the header differs between processes.
    """
    content = save({"embedding": array}, metadata=metadata)
    end = 8 + int.from_bytes(content[:8], "little")
    text = json.dumps(json.loads(content[8:end]), sort_keys=True, separators=(",", ":"))
    header = text.encode().ljust(-(-len(text) // 8) * 8)  # aligns the array after it
    return len(header).to_bytes(8, "little") + header + content[end:]


def _checksum(array: Floating, metadata: dict[str, str]) -> str:
    described = json.dumps([metadata, array.dtype.str, array.shape], sort_keys=True)
    return f"{zlib.crc32(array.data.cast('B'), zlib.crc32(described.encode())):08x}"


class HashMemo:
    """sha256 of files, computed again only when a file's size or modification time changes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._names: dict[Path, str] = {}  # absolute: to resolve one takes longer than `stat`

    @cached_property
    def _known(self) -> dict[tuple[str, int, int], str]:
        with self._database() as database:
            database.execute(
                "CREATE TABLE IF NOT EXISTS hashes"
                " (path TEXT PRIMARY KEY, size INTEGER, mtime INTEGER, hash TEXT)"
            )
            rows = database.execute("SELECT path, size, mtime, hash FROM hashes").fetchall()
        return {(path, size, mtime): found for path, size, mtime, found in rows}

    def __call__(self, file: Path) -> str:
        """The hash of `file`; it must exist.

        Raises:
            StorageError: the memo cannot be read or written.
        """
        stat = file.stat()
        if file not in self._names:
            self._names[file] = str(file.resolve())
        name = (self._names[file], stat.st_size, stat.st_mtime_ns)
        if name not in self._known:
            self._known[name] = file_digest(file)
            with self._database() as database:
                row = (*name, self._known[name])
                database.execute("INSERT OR REPLACE INTO hashes VALUES (?, ?, ?, ?)", row)
        return self._known[name]

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.path, timeout=60)) as database, database:
                # everything in it can be computed again: no need to wait for the disk
                database.execute("PRAGMA synchronous = OFF")
                yield database
        except (sqlite3.Error, OSError) as error:
            raise StorageError(
                f"{self.path}: cannot be read or written ({error}); make the folder writable, "
                "delete the file if it is damaged, or name another folder with --cache-dir"
            ) from error
