"""Fixtures of these tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.embedded_tracks import write_tracks

from mirprobe.core.schema import Track
from mirprobe.embedding.cache import Cache


@pytest.fixture
def tracks(tmp_path: Path) -> list[Track]:
    return write_tracks(tmp_path)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")
