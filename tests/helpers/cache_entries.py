"""Entries of a cache in tests."""

from __future__ import annotations

import numpy as np

from mirprobe.core.schema import Floating
from mirprobe.embedding.cache import Cache

KEY = "ab" + "0" * 30


METADATA = {"encoder": "oracle", "view": "clip", "duration": "1.5"}


def some(shape: tuple[int, ...] = (3, 2, 2), dtype: str = "float16") -> Floating:
    array: Floating = np.random.default_rng(0).normal(size=shape).astype(dtype)
    return array


def files(cache: Cache) -> list[str]:
    return sorted(path.name for path in cache.root.rglob("*") if path.is_file())
