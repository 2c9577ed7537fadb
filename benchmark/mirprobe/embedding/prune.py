"""List the entries of the cache, and choose those to delete."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from mirprobe.core.hashing import digest
from mirprobe.embedding.cache import BROKEN, SUFFIX, Cache

DAY = 86_400.0
_LONGEST_HEADER = 1_000_000  # bytes: a broken one may claim any length


@dataclass(frozen=True)
class EntryInfo:
    """The file of a cache entry and its metadata, which are empty if it cannot be read.

    The path is that of the local copy if the entry is at an address; it need not exist.
    """

    path: Path
    size: int
    written: float
    encoder: str
    fingerprint: str
    view: str


def list_entries(cache: Cache) -> Iterator[EntryInfo]:
    """Every entry; only its header is read.

    Raises:
        StorageError: the address does not answer, or refuses.
    """
    for path, size, written in _listed(cache):
        if path.suffix == SUFFIX:
            yield _described(cache, path, size, written)


def _described(cache: Cache, path: Path, size: int, written: float) -> EntryInfo:
    metadata = _metadata(cache, path)
    values = (str(metadata.get(name, "")) for name in ("encoder", "fingerprint", "view"))
    return EntryInfo(path, size, written, *values)


def _listed(cache: Cache) -> Iterator[tuple[Path, int, float]]:
    """Path, size and time of every entry, at an address of every other file too."""
    if cache.remote is None:
        for path in cache.entries():
            stat = path.stat()
            yield path, stat.st_size, stat.st_mtime
        return
    for name, size, written in cache.remote.files("entries"):
        yield cache.root / name, size, written


def _metadata(cache: Cache, path: Path) -> Mapping[str, Any]:
    """That in the header; empty if it cannot be read. `verify` reports such entries."""
    try:
        if cache.remote is None:
            with safe_open(path, framework="numpy") as file:
                return file.metadata() or {}
        name = path.relative_to(cache.root).as_posix()
        length = int.from_bytes(cache.remote.part(name, 0, 8), "little")
        header = json.loads(cache.remote.part(name, 8, 8 + min(length, _LONGEST_HEADER)))
        return dict(header["__metadata__"])
    except (SafetensorError, OSError, ValueError, KeyError, TypeError):
        return {}


def prune_candidates(
    cache: Cache,
    *,
    now: float,
    encoder: str | None = None,
    older_than_days: float | None = None,
    max_gb: float | None = None,
) -> dict[Path, int]:
    """The files that `prune` deletes: all leftovers, and entries that match any criterion.

    The finished cells of an encoder are deleted with its entries, and old ones like old entries. At
    an address they are kept: the local folder is that of other caches too.

    Args:
        cache: the store.
        now: the time, in seconds since the epoch.
        encoder: entries of this encoder.
        older_than_days: entries written longer ago.
        max_gb: the oldest of the remaining entries, until this many gigabytes are left.

    Returns:
        File -> size in bytes.

    Raises:
        StorageError: the address does not answer, or refuses.
    """
    paths = {
        path: path.stat().st_size
        for path in cache.leftovers()
        # a recent temporary file may belong to a running process
        if path.suffix == BROKEN or now - path.stat().st_mtime > DAY / 24
    }
    left, fingerprints = [], set()

    def old(written: float) -> bool:
        return older_than_days is not None and now - written > older_than_days * DAY

    for path, size, written in _listed(cache):
        if path.suffix == ".tmp" and now - written > DAY / 24:
            paths[path] = size
        if path.suffix != SUFFIX:
            continue
        item = _described(cache, path, size, written)
        named = encoder is not None and item.encoder == encoder
        if named:
            fingerprints.add(digest(item.fingerprint))  # the name of its folder of cells
        if named or old(item.written):
            paths[item.path] = item.size
        else:
            left.append(item)
    for path in sorted(cache.cells.glob("*/*")) if cache.remote is None else ():
        stat = path.stat()
        if (
            path.parent.name in fingerprints
            or old(stat.st_mtime)
            or (encoder is not None and _encoder_of(path) in (encoder, f"pca({encoder}"))
        ):
            paths[path] = stat.st_size
    if max_gb is not None:
        left.sort(key=lambda item: item.written, reverse=True)
        total = 0
        for item in left:
            total += item.size
            if total > max_gb * 1e9:
                paths[item.path] = item.size
    return paths


def _encoder_of(cell: Path) -> str:
    """The encoder that a cell names, without its number of components; empty if it is damaged."""
    try:
        name = str(json.loads(gzip.decompress(cell.read_bytes()))["encoder"])
    except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError):
        return ""
    return name.rpartition(",")[0] if name.startswith("pca(") else name
