from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import numpy as np
import pytest

from mirprobe.core.hashing import digest
from mirprobe.embedding.cache import Cache, entry_key
from mirprobe.embedding.prune import DAY, list_entries, prune_candidates

NOW = 1_700_000_000.0
ENTRIES = [("mfcc", "clip", 1.0), ("mfcc", "frame", 5.0), ("chroma", "clip", 3.0)]


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    """Three entries, so many days old as `ENTRIES` says."""
    cache = Cache(tmp_path)
    for encoder, view, days in ENTRIES:
        entry = cache.put(
            key(encoder, view), np.zeros((100, 2, 5)), {"encoder": encoder, "view": view}
        )
        age(entry.path, days)
    return cache


def key(encoder: str, view: str) -> str:
    return entry_key(encoder, "audio", view, ("1",), "float16")


def age(path: Path, days: float) -> None:
    os.utime(path, (NOW - days * DAY, NOW - days * DAY))


def paths(cache: Cache, *names: tuple[str, str]) -> set[Path]:
    return {cache.path(key(encoder, view)) for encoder, view in names}


def test_list_entries(cache: Cache) -> None:
    found = {(item.encoder, item.view): item for item in list_entries(cache)}
    assert len(found) == 3
    for encoder, view, days in ENTRIES:
        item = found[encoder, view]
        assert item.path == cache.path(key(encoder, view))
        assert item.size == item.path.stat().st_size > 8000
        assert item.written == NOW - days * DAY


def test_list_entries_of_an_empty_cache(tmp_path: Path) -> None:
    assert list(list_entries(Cache(tmp_path / "none"))) == []
    assert prune_candidates(Cache(tmp_path / "none"), now=NOW, max_gb=0) == {}


def test_an_unreadable_item_is_counted_without_a_name(cache: Cache) -> None:
    path = cache.path(key("mfcc", "clip"))
    path.write_bytes(b"text")
    found = {item.path: item for item in list_entries(cache)}
    assert len(found) == 3
    assert (found[path].encoder, found[path].view, found[path].size) == ("", "", 4)
    assert path.exists()


def test_nothing_is_doomed_without_a_criterion(cache: Cache) -> None:
    assert prune_candidates(cache, now=NOW) == {}


def test_an_encoder_is_doomed(cache: Cache) -> None:
    assert set(prune_candidates(cache, now=NOW, encoder="mfcc")) == paths(
        cache, ("mfcc", "clip"), ("mfcc", "frame")
    )
    assert prune_candidates(cache, now=NOW, encoder="mf") == {}


@pytest.mark.parametrize(("days", "count"), [(0.5, 3), (1.5, 2), (3.5, 1), (5.5, 0)])
def test_old_entries_are_doomed(cache: Cache, days: float, count: int) -> None:
    by_age = paths(cache, ("mfcc", "frame")), paths(cache, ("chroma", "clip"))
    found = set(prune_candidates(cache, now=NOW, older_than_days=days))
    assert len(found) == count
    assert count < 1 or by_age[0] <= found
    assert count < 2 or by_age[1] <= found


@pytest.mark.parametrize("room", [0, 1, 2, 3])
def test_the_oldest_are_doomed_until_the_rest_fits(cache: Cache, room: int) -> None:
    size = max(item.size for item in list_entries(cache))
    oldest_first = [("mfcc", "frame"), ("chroma", "clip"), ("mfcc", "clip")]
    found = prune_candidates(cache, now=NOW, max_gb=(room * size + 0.5) / 1e9)
    assert set(found) == paths(cache, *oldest_first[: 3 - room])
    assert len(found) == len(set(found))


def test_criteria_add_up(cache: Cache) -> None:
    found = prune_candidates(cache, now=NOW, encoder="chroma", older_than_days=4)
    assert set(found) == paths(cache, ("chroma", "clip"), ("mfcc", "frame"))
    size = max(item.size for item in list_entries(cache))
    # what goes anyway makes room: the only entry left fits
    again = prune_candidates(
        cache, now=NOW, encoder="chroma", older_than_days=4, max_gb=(size + 1) / 1e9
    )
    assert sorted(again) == sorted(found)
    everything = prune_candidates(cache, now=NOW, encoder="chroma", older_than_days=4, max_gb=0)
    assert sorted(everything) == sorted(item.path for item in list_entries(cache))


def test_leftovers_are_doomed_but_not_what_is_being_written(cache: Cache) -> None:
    folder = cache.path(key("mfcc", "clip")).parent
    left = {name: folder / name for name in ("old.safetensors.1.tmp", "new.safetensors.2.tmp")}
    broken = folder / "some.broken"
    for path in (*left.values(), broken):
        path.write_bytes(b"half")
        age(path, 0)
    age(left["old.safetensors.1.tmp"], 0.1)
    assert set(cache.leftovers()) == {*left.values(), broken}
    assert set(prune_candidates(cache, now=NOW)) == {left["old.safetensors.1.tmp"], broken}
    assert len(list(list_entries(cache))) == 3


def test_cells_are_deleted_with_the_entries_of_their_encoder_or_when_they_are_old(
    cache: Cache,
) -> None:
    cache.put(key("own", "clip"), np.zeros(3), {"encoder": "own", "fingerprint": "f1"})
    cells = [cache.cells / digest(name) / "a.json.gz" for name in ("f1", "f2")]
    for path, days in zip(cells, (1.0, 9.0), strict=True):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"")
        age(path, days)
    assert not set(prune_candidates(cache, now=NOW)) & set(cells)
    assert cells[0] in prune_candidates(cache, now=NOW, encoder="own")
    assert cells[1] not in prune_candidates(cache, now=NOW, encoder="own")
    for name in ("own", "pca(own,2)"):  # no entry of it is left
        cells[1].write_bytes(gzip.compress(json.dumps({"encoder": name}).encode()))
        age(cells[1], 9.0)
        assert cells[1] in prune_candidates(cache, now=NOW, encoder="own")
    assert set(prune_candidates(cache, now=NOW, older_than_days=8)) & set(cells) == {cells[1]}
