"""Fixtures of these tests."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one model of each kind."""
    from helpers.small_hf_models import MAKERS, save_model  # imports transformers

    folder = tmp_path_factory.mktemp("models")
    for name in MAKERS:
        save_model(name, folder)
    return folder
