from __future__ import annotations

import io
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from errno import ENOSPC, EROFS
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mirprobe.core.atomic_write import write_whole
from mirprobe.core.errors import StorageError
from mirprobe.core.schema import Floating
from mirprobe.embedding.cache import Cache, entry_key, verify

KEY = "ab" + "0" * 30
METADATA = {"encoder": "oracle", "view": "clip", "duration": "1.5"}


def some(shape: tuple[int, ...] = (3, 2, 2), dtype: str = "float16") -> Floating:
    array: Floating = np.random.default_rng(0).normal(size=shape).astype(dtype)
    return array


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def files(cache: Cache) -> list[str]:
    return sorted(path.name for path in cache.root.rglob("*") if path.is_file())


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


def refused(action: Callable[[], object]) -> str:
    with pytest.raises(StorageError) as caught:
        action()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("code", "reason"), [(ENOSPC, "No space left on device"), (EROFS, "Read-only file system")]
)
@pytest.mark.parametrize("owner", ["write", "replace"])
def test_a_full_or_read_only_disk(
    cache: Cache, monkeypatch: pytest.MonkeyPatch, code: int, reason: str, owner: str
) -> None:
    old = cache.put(KEY, some(), METADATA)

    class Full(io.FileIO):
        def write(self, content: Any) -> int:
            super().write(content[:10])  # as much as there was room for
            raise OSError(code, reason)

    def refuse(*paths: object) -> None:
        raise OSError(code, reason)

    if owner == "write":
        monkeypatch.setattr(Path, "open", lambda path, mode: Full(path, mode))
    else:
        monkeypatch.setattr(os, "replace", refuse)
    message = refused(lambda: cache.put(KEY, some((9, 1, 1)), METADATA))
    assert message == (
        f"{cache.path(KEY)}: cannot be written ({reason}); free space there or name another "
        "folder; what was written before is kept"
    )
    assert files(cache) == [f"{KEY}.safetensors"]  # the old one, and no temporary
    assert Cache(cache.root).get(KEY) == old
    assert cache.get(KEY) == old


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    cache = Cache(tmp_path / "cache")
    assert cache.get(KEY) is None
    assert "cannot be written" in refused(lambda: cache.put(KEY, some(), METADATA))
    audio = tmp_path / "a.wav"
    audio.write_bytes(b"audio")
    assert str(cache.root) in refused(lambda: cache.hashes(audio))


def test_threads_that_write_one_key(cache: Cache) -> None:
    arrays = [np.full((200, 2, 2), value, dtype=np.float32) for value in range(8)]
    Cache(cache.root).put(KEY, arrays[0], METADATA)

    def work(array: Floating) -> None:
        store = Cache(cache.root)
        for _ in range(20):
            store.put(KEY, array, METADATA)
            got = Cache(cache.root).get(KEY)
            assert got is not None
            assert len(np.unique(got.read())) == 1  # one writer's, whole

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, arrays))
    assert files(cache) == [f"{KEY}.safetensors"]


WRITER = """
import io, os, signal, sys
from pathlib import Path
import numpy as np
from mirprobe.embedding.cache import Cache

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

class Halfway(io.FileIO):
    def write(self, content):
        super().write(content[: len(content) // 2])
        die()

cache = Cache(Path(sys.argv[1]))
print("ready", flush=True)
for number in range(20_000):
    if number == 4 and sys.argv[2] == "while writing":
        Path.open = lambda path, mode: Halfway(path, mode)
    if number == 4 and sys.argv[2] == "before renaming":
        os.replace = die
    value = number % 100
    cache.put(f"{value % 3:02d}{'0' * 30}", np.full((1000, 20), value, dtype=np.float32), {})
"""


@pytest.mark.parametrize("moment", ["at random", "while writing", "before renaming"])
def test_a_killed_writer_leaves_whole_entries(cache: Cache, moment: str) -> None:
    command = [sys.executable, "-c", WRITER, str(cache.root), moment]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
        if moment == "at random":
            time.sleep(0.3)
            writer.send_signal(signal.SIGKILL)
        assert writer.wait() == -signal.SIGKILL
    paths = list(cache.entries())
    assert [path.stem[:2] for path in paths] == ["00", "01", "02"]
    for path in paths:
        assert len(np.unique(verify(path).read())) == 1  # verify raises where it is not whole
    left = list(cache.leftovers())
    assert all(path.suffix == ".tmp" for path in left)
    assert moment == "at random" or len(left) == 1
    again = cache.put(f"01{'0' * 30}", some(), METADATA)
    assert again == Cache(cache.root).get(f"01{'0' * 30}")


def test_write_whole_makes_its_folders(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file"
    write_whole(path, b"one")
    write_whole(path, b"two")
    assert path.read_bytes() == b"two"
    assert [file.name for file in path.parent.iterdir()] == ["file"]


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
