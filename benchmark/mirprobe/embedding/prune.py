"""List the entries of the cache, and choose those to delete."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from mirprobe.embedding.cache import BROKEN, Cache

DAY = 86_400.0


@dataclass(frozen=True)
class EntryInfo:
    """The file of a cache entry and its metadata; `encoder` is empty if it cannot be read."""

    path: Path
    size: int
    written: float
    encoder: str
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
        encoder, view = metadata.get("encoder", ""), metadata.get("view", "")
        yield EntryInfo(path, stat.st_size, stat.st_mtime, encoder, view)


def prune_candidates(
    cache: Cache,
    *,
    now: float,
    encoder: str | None = None,
    older_than_days: float | None = None,
    max_gb: float | None = None,
) -> list[Path]:
    """The files that `prune` deletes: all leftovers, and entries that match any criterion.

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
    left = []
    for item in list_entries(cache):
        old = older_than_days is not None and now - item.written > older_than_days * DAY
        if old or (encoder is not None and item.encoder == encoder):
            paths.append(item.path)
        else:
            left.append(item)
    if max_gb is not None:
        left.sort(key=lambda item: item.written, reverse=True)
        total = 0
        for item in left:
            total += item.size
            if total > max_gb * 1e9:
                paths.append(item.path)
    return paths
