"""Fixtures that several test modules share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from helpers.tones import Tones


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    """Tests work on small tensors, which threads only slow down."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tones(tmp_path_factory: pytest.TempPathFactory) -> Tones:
    """The data set of known truth, rendered."""
    dataset = Tones(Path(tmp_path_factory.mktemp("tones")))
    for tracks in dataset.splits().values():
        for _ in dataset.prepare(tracks):
            pass
    return dataset
