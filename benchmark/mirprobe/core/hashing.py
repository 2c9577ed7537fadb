"""Fingerprints: equal inputs hash alike on every machine, different inputs do not.

Pure functions; remembering a file's digest by its size and time is the caller's business.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

_DIGITS = 32  # 128 bits: no accidental collision, and a file name stays readable
_CHUNK = 1 << 20


def digest(*parts: object) -> str:
    """Hash values that JSON can hold.

    Args:
        parts: strings, finite numbers, booleans, None, and lists, tuples and string-keyed mappings
            of them. The order of a mapping's keys does not matter, the order of the parts does.

    Returns:
        32 hexadecimal digits: the first half of the SHA-256 of the parts as canonical JSON.

    Raises:
        TypeError: JSON cannot hold a part.
        ValueError: a number is not finite.
    """
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def file_digest(path: str | Path) -> str:
    """Hash a file's bytes, read piece by piece.

    Returns:
        64 hexadecimal digits, the same as `sha256sum` prints.

    Raises:
        OSError: the file cannot be read.
    """
    hasher = hashlib.sha256()
    with Path(path).open("rb") as file:
        while chunk := file.read(_CHUNK):
            hasher.update(chunk)
    return hasher.hexdigest()
