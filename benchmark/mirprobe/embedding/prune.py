"""Looking after the cache: what it holds, whether it is whole, what may go."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from mirprobe.embedding.cache import BROKEN, Cache

DAY = 86_400.0


@dataclass(frozen=True)
class EntryInfo:
    """A cache entry's file and what it says of itself; `encoder` is empty where it says nothing."""

    path: Path
    size: int
    written: float
    encoder: str
    view: str


def list_entries(cache: Cache) -> Iterator[EntryInfo]:
    """Every entry, read no further than its header."""
    for path in cache.entries():
        try:
            with safe_open(path, framework="numpy") as file:
                metadata = file.metadata() or {}
        except (SafetensorError, OSError):
            metadata = {}  # `verify` names and sets aside what cannot be opened
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
    """What `prune` would delete: leftovers always, and entries by any of the criteria.

    Args:
        cache: the store.
        now: the time, in seconds since the epoch.
        encoder: entries of this encoder.
        older_than_days: entries written longer ago.
        max_gb: of what is left, the oldest entries until so many gigabytes remain.
    """
    paths = [
        path
        for path in cache.leftovers()
        # the temporary file of a run that is still writing is young
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
