from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from mirprobe.core.hashing import digest, file_digest, unit_hash


def test_digest_is_pinned() -> None:
    # A change here would orphan every cache.
    text = b'["logmel",{"bins":128,"low":0.5},null]'
    assert (
        digest("logmel", {"low": 0.5, "bins": 128}, None) == (hashlib.sha256(text).hexdigest()[:32])
    )


def test_digest_separates_what_differs() -> None:
    parts: list[tuple[object, ...]] = [(), ("a",), ("a", "b"), (["a", "b"],), ("ab",), (1,), ("1",)]
    assert len({digest(*some) for some in parts}) == len(parts)
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})


def test_digest_refuses_what_has_no_canonical_form() -> None:
    with pytest.raises(TypeError):
        digest(Path("weights"))
    with pytest.raises(ValueError, match="not JSON compliant"):
        digest(float("nan"))


def test_file_digest_reads_all_of_a_long_file(tmp_path: Path) -> None:
    content = bytes(range(256)) * 10_000  # longer than one read
    path = tmp_path / "weights"
    path.write_bytes(content)
    assert file_digest(path) == hashlib.sha256(content).hexdigest()
    path.write_bytes(content[:-1] + b"!")
    assert file_digest(path) != hashlib.sha256(content).hexdigest()


def test_file_digest_of_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        file_digest(tmp_path / "none")


def test_a_hash_as_a_number_is_uniform_and_stays_what_it_was() -> None:
    assert unit_hash("split", "tones", "a") == int(digest("split", "tones", "a")[:13], 16) / 2**52
    numbers = sorted(unit_hash("x", number) for number in range(1000))
    assert 0 <= numbers[0] < 0.01 < 0.99 < numbers[-1] < 1
    assert abs(numbers[500] - 0.5) < 0.05
