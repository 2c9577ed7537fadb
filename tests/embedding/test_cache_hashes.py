from __future__ import annotations

import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mirprobe.core.errors import StorageError
from mirprobe.core.hashing import file_digest
from mirprobe.embedding import cache as module
from mirprobe.embedding.cache import HashMemo


def refused(memo: Path, audio: Path) -> str:
    with pytest.raises(StorageError) as caught:
        HashMemo(memo)(audio)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that are read to be hashed."""
    read: list[Path] = []
    real = file_digest

    def count(path: Path) -> str:
        read.append(path)
        return real(path)

    monkeypatch.setattr(module, "file_digest", count)
    return read


def test_hashes_are_remembered(tmp_path: Path, hashed: list[Path]) -> None:
    audio, memo = tmp_path / "a.wav", tmp_path / "cache" / "hashes.sqlite"
    audio.write_bytes(b"one")
    hashes = HashMemo(memo)
    first = hashes(audio)
    assert first == file_digest(audio)
    hashed.clear()
    assert hashes(audio) == first
    assert HashMemo(memo)(audio) == first  # by another process as well
    assert hashed == []
    audio.write_bytes(b"twelve")
    second = hashes(audio)
    assert second != first
    assert hashed == [audio]
    assert HashMemo(memo)(audio) == second
    assert hashed == [audio]


@pytest.mark.parametrize(("content", "later"), [(b"two", 1), (b"three", 0)])
def test_hashes_are_computed_again_when_time_or_size_changes(
    tmp_path: Path, hashed: list[Path], content: bytes, later: int
) -> None:
    audio, memo = tmp_path / "a.wav", tmp_path / "hashes.sqlite"
    audio.write_bytes(b"one")
    first = HashMemo(memo)(audio)
    before = audio.stat()
    audio.write_bytes(content)
    os.utime(audio, ns=(before.st_atime_ns, before.st_mtime_ns + later))
    assert HashMemo(memo)(audio) == file_digest(audio) != first
    assert len(hashed) == 2


def test_a_file_is_known_by_its_content_not_its_name(tmp_path: Path) -> None:
    hashes = HashMemo(tmp_path / "hashes.sqlite")
    for name, content in (("a", b"same"), ("b", b"same"), ("c", b"else")):
        (tmp_path / name).write_bytes(content)
    assert hashes(tmp_path / "a") == hashes(tmp_path / "b") != hashes(tmp_path / "c")


def test_a_damaged_memo(tmp_path: Path) -> None:
    audio, memo = tmp_path / "a.wav", tmp_path / "hashes.sqlite"
    audio.write_bytes(b"one")
    memo.write_bytes(b"no database" * 100)
    message = refused(memo, audio)
    assert message.startswith(f"{memo}: cannot be read or written (")
    assert "delete the file if it is damaged" in message
    memo.unlink()
    with sqlite3.connect(memo) as database:
        database.execute("CREATE TABLE hashes (other TEXT)")
    database.close()
    assert refused(memo, audio).startswith(f"{memo}: cannot be read or written (")


def test_processes_that_share_a_memo(tmp_path: Path) -> None:
    memo = tmp_path / "hashes.sqlite"
    names = [tmp_path / f"{number}" for number in range(30)]
    for path in names:
        path.write_bytes(path.name.encode())

    def work(_: int) -> list[str]:
        hashes = HashMemo(memo)
        return [hashes(path) for path in names]

    with ThreadPoolExecutor(4) as pool:
        assert len({tuple(found) for found in pool.map(work, range(4))}) == 1
