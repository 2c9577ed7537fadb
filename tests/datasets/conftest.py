from __future__ import annotations

from pathlib import Path

import pytest
from helpers.miniatures import tone
from helpers.small_folders import NAMES


@pytest.fixture
def here(tmp_path: Path) -> Path:
    for name in NAMES:
        tone(tmp_path / "recordings" / f"{name}.wav", 0.05)
    return tmp_path
