from __future__ import annotations

import logging
from errno import EROFS
from pathlib import Path

import numpy as np
import pytest
from helpers.cache_entries import KEY, METADATA, files, some

from mirprobe.core.errors import StorageError
from mirprobe.embedding.cache import Cache, entry_key, verify


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 2, 2), (500, 3, 16)])
def test_what_is_put_is_got(cache: Cache, dtype: str, shape: tuple[int, ...]) -> None:
    array = some(shape, dtype)
    put = cache.put(KEY, array, METADATA)
    got = Cache(cache.root).get(KEY)
    assert got is not None
    for entry in (put, got):
        assert entry.shape == shape
        assert entry.metadata == METADATA
        assert entry.read().dtype == array.dtype
        np.testing.assert_array_equal(entry.read(), array)
    assert put == got
    assert files(cache) == [f"{KEY}.safetensors"]
    assert list(cache.entries()) == [cache.path(KEY)]
    assert list(cache.leftovers()) == []


def test_arrays_that_do_not_lie_in_order(cache: Cache) -> None:
    array = some((4, 6, 2)).transpose(1, 0, 2)[::2]
    cache.put(KEY, array, METADATA)
    got = Cache(cache.root).get(KEY)
    assert got is not None
    np.testing.assert_array_equal(got.read(), array)


@pytest.mark.parametrize(
    ("start", "stop"), [(0, None), (0, 5), (2, 4), (3, None), (0, 0), (4, 4), (4, 5)]
)
def test_slices(cache: Cache, start: int, stop: int | None) -> None:
    array = some((5, 2, 3))
    rows = cache.put(KEY, array, METADATA).read(start, stop)
    np.testing.assert_array_equal(rows, array[start:stop])
    assert rows.shape == array[start:stop].shape


@pytest.mark.parametrize("content", [None, b"", b"some bytes"])
def test_an_entry_that_goes_between_opening_and_reading(
    cache: Cache, content: bytes | None
) -> None:
    entry = cache.put(KEY, some(), METADATA)
    entry.path.unlink()
    if content is not None:
        entry.path.write_bytes(content)
    with pytest.raises(StorageError, match=f"{KEY}.safetensors: gone or broken since") as caught:
        entry.read(0, 1)
    assert "\n" not in str(caught.value)


def test_a_missing_entry(cache: Cache) -> None:
    assert cache.get(KEY) is None
    assert not cache.root.exists()  # asking leaves no trace


def test_put_replaces(cache: Cache) -> None:
    cache.put(KEY, some(), METADATA)
    other = some((7, 1, 1), "float32")
    cache.put(KEY, other, {"view": "frame"})
    for store in (cache, Cache(cache.root)):
        got = store.get(KEY)
        assert got is not None
        assert got.metadata == {"view": "frame"}
        np.testing.assert_array_equal(got.read(), other)


def set_aside(root: Path, caplog: pytest.LogCaptureFixture) -> bool:
    """Whether the entry is refused: reported, set aside and never trusted."""
    caplog.clear()
    store = Cache(root)
    if store.get(KEY) is not None:
        return False
    broken = store.path(KEY).with_suffix(".broken")
    assert "is broken" in caplog.text
    assert str(store.path(KEY)) in caplog.text
    assert not store.path(KEY).exists()
    assert list(store.leftovers()) == [broken]
    assert store.get(KEY) is None
    return True


@pytest.mark.parametrize("part", [0.0, 0.01, 0.3, 0.7, 0.99])
def test_an_entry_cut_short(cache: Cache, part: float, caplog: pytest.LogCaptureFixture) -> None:
    cache.put(KEY, some(), METADATA)
    content = cache.path(KEY).read_bytes()
    cache.path(KEY).write_bytes(content[: int(len(content) * part)])
    assert set_aside(cache.root, caplog)
    cache.put(KEY, some(), METADATA)
    assert Cache(cache.root).get(KEY) is not None


# each bit; all of them; a blank to another; the F of F16 to the I and U of whole numbers
MASKS = (0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xFF, 0x2A, 0x0F, 0x13)


def test_every_flipped_byte_is_noticed(cache: Cache, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "mirprobe.embedding.cache")
    array = some()
    cache.put(KEY, array, METADATA)
    path = cache.path(KEY)
    content = path.read_bytes()
    assert len(content) < 400
    harmless = 0
    for place in range(len(content)):
        for mask in MASKS:
            flipped = bytearray(content)
            flipped[place] ^= mask
            path.write_bytes(flipped)
            entry = Cache(cache.root).get(KEY)
            if entry is None:
                assert path.with_suffix(".broken").read_bytes() == flipped
                continue
            # a blank that pads the header may become another kind of blank
            harmless += 1
            np.testing.assert_array_equal(entry.read(), array)
            assert entry.read().dtype == array.dtype
            assert entry.metadata == METADATA
    assert harmless <= 8 * 2


@pytest.mark.parametrize(
    "content", [b"", b"text", b"\0" * 100, b"\xff" * 100, b"\x02" + b"\0" * 7 + b"{}"]
)
def test_what_is_not_an_entry(
    cache: Cache, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    cache.path(KEY).parent.mkdir(parents=True)
    cache.path(KEY).write_bytes(content)
    assert set_aside(cache.root, caplog)


def test_a_broken_entry_that_cannot_be_set_aside_is_not_trusted(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.put(KEY, some(), METADATA)
    cache.path(KEY).write_bytes(b"text")

    def refuse(*args: object) -> None:
        raise OSError(EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "replace", refuse)
    assert Cache(cache.root).get(KEY) is None  # and no exception: another run may be at it too


def test_verify_names_what_is_wrong(cache: Cache) -> None:
    cache.put(KEY, some(), METADATA)
    assert verify(cache.path(KEY)).metadata == METADATA
    content = bytearray(cache.path(KEY).read_bytes())
    content[-1] ^= 1
    cache.path(KEY).write_bytes(content)
    with pytest.raises(ValueError, match="its checksum is wrong"):
        verify(cache.path(KEY))


def test_an_entry_depends_on_all_that_its_numbers_do() -> None:
    one = ("print", "audio", "clip", ("4", "8"), "float16")
    others = [
        ("other", "audio", "clip", ("4", "8"), "float16"),
        ("print", "other", "clip", ("4", "8"), "float16"),
        ("print", "audio", "frame", ("4", "8"), "float16"),
        ("print", "audio", "clip", ("8", "4"), "float16"),
        ("print", "audio", "clip", ("48",), "float16"),
        ("print", "audio", "clip", ("4", "8"), "float32"),
        ("printaudio", "", "clip", ("4", "8"), "float16"),
    ]
    keys = [entry_key(*parts) for parts in (one, *others)]
    assert len(set(keys)) == len(keys)
    assert entry_key(*one) == keys[0]
    assert all(len(key) == 32 and int(key, 16) >= 0 for key in keys)
