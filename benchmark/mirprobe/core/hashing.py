"""Hashes that are equal for equal inputs on every machine."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import IO

_DIGITS = 32  # 128 bits
_CHUNK = 1 << 20


def digest(*parts: object) -> str:
    """Hash values that JSON can hold.

    Args:
        parts: strings, finite numbers, booleans, None, and lists, tuples and string-keyed mappings
            of them. The order of a mapping's keys does not matter, the order of the parts does.

    Returns:
        32 hexadecimal digits: the first 128 bits of the SHA-256 of the parts as canonical JSON.

    Raises:
        TypeError: JSON cannot hold a part.
        ValueError: a number is not finite.
    """
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def unit_hash(*parts: object) -> float:
    """Hash values to a number in [0, 1), uniform over inputs: for splits that need no list.

    Args:
        parts: as for `digest`.

    Returns:
        The first 52 bits of the digest as a fraction, which is exact in float64.
    """
    return int(digest(*parts)[:13], 16) / 16**13


def file_digest(path: str | Path) -> str:
    """Hash the bytes of a file, read in chunks.

    Returns:
        64 hexadecimal digits, the same as `sha256sum` prints.

    Raises:
        OSError: the file cannot be read.
    """
    with Path(path).open("rb") as file:
        return stream_digest(file)


@cache
def folder_hash(folder: Path) -> str:
    """A hash of the Python files in a folder and below, as they were when it was first called."""
    files = sorted(folder.rglob("*.py"))
    return digest([[path.relative_to(folder).as_posix(), file_digest(path)] for path in files])


def stream_digest(file: IO[bytes]) -> str:
    """Hash what is left of an open file; as `file_digest`."""
    hasher = hashlib.sha256()
    while chunk := file.read(_CHUNK):
        hasher.update(chunk)
    return hasher.hexdigest()
