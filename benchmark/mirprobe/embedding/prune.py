"""List the entries of the cache, and choose those to delete."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from mirprobe.core.hashing import digest
from mirprobe.embedding.cache import BROKEN, Cache

DAY = 86_400.0


@dataclass(frozen=True)
class EntryInfo:
    """The file of a cache entry and its metadata, which are empty if it cannot be read."""

    path: Path
    size: int
    written: float
    encoder: str
    fingerprint: str
    view: str


def list_entries(cache: Cache) -> Iterator[EntryInfo]:
    """Every entry; only its header is read."""
    for path in cache.entries():
        try:
            with safe_open(path, framework="numpy") as file:
                metadata = file.metadata() or {}
        except (SafetensorError, OSError):
            metadata = {}  # `mirprobe cache verify` reports and sets aside broken entries
        stat = path.stat()
        described = (metadata.get(name, "") for name in ("encoder", "fingerprint", "view"))
        yield EntryInfo(path, stat.st_size, stat.st_mtime, *described)


def prune_candidates(
    cache: Cache,
    *,
    now: float,
    encoder: str | None = None,
    older_than_days: float | None = None,
    max_gb: float | None = None,
) -> list[Path]:
    """The files that `prune` deletes: all leftovers, and entries that match any criterion.

    The finished cells of an encoder are deleted with its entries, and old ones like old entries.

    Args:
        cache: the store.
        now: the time, in seconds since the epoch.
        encoder: entries of this encoder.
        older_than_days: entries written longer ago.
        max_gb: the oldest of the remaining entries, until this many gigabytes are left.
    """
    paths = [
        path
        for path in cache.leftovers()
        # a recent temporary file may belong to a running process
        if path.suffix == BROKEN or now - path.stat().st_mtime > DAY / 24
    ]
    left, fingerprints = [], set()

    def old(written: float) -> bool:
        return older_than_days is not None and now - written > older_than_days * DAY

    for item in list_entries(cache):
        named = encoder is not None and item.encoder == encoder
        if named:
            fingerprints.add(digest(item.fingerprint))  # the name of its folder of cells
        if named or old(item.written):
            paths.append(item.path)
        else:
            left.append(item)
    paths += [
        path
        for path in sorted(cache.cells.glob("*/*"))
        if path.parent.name in fingerprints
        or old(path.stat().st_mtime)
        or (encoder is not None and _encoder_of(path) in (encoder, f"pca({encoder}"))
    ]
    if max_gb is not None:
        left.sort(key=lambda item: item.written, reverse=True)
        total = 0
        for item in left:
            total += item.size
            if total > max_gb * 1e9:
                paths.append(item.path)
    return paths


def _encoder_of(cell: Path) -> str:
    """The encoder that a cell names, without its number of components; empty if it is damaged."""
    try:
        name = str(json.loads(gzip.decompress(cell.read_bytes()))["encoder"])
    except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError):
        return ""
    return name.rpartition(",")[0] if name.startswith("pca(") else name
