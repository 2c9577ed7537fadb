"""Entries of the cache on full disks, by several threads, and by writers that are killed."""

from __future__ import annotations

import io
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
from helpers.cache_entries import KEY, METADATA, files, some

from mirprobe.core.atomic_write import write_whole
from mirprobe.core.errors import StorageError
from mirprobe.core.schema import Floating
from mirprobe.embedding.cache import Cache, verify


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
