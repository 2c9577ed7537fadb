"""Fixtures that several test modules share."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import joblib
import pytest
import torch
from helpers.tones import Tones
from hypothesis import settings

settings.register_profile("no deadline", deadline=None)  # machines are busy at times
settings.load_profile("no deadline")


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    """Tests work on small tensors, which threads only slow down."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True, scope="session")
def _one_core() -> Iterator[None]:
    """Runs of tests compute their cells in this process, so that it sees what they do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(joblib, "cpu_count", lambda: 1)
        yield


@pytest.fixture(autouse=True)
def _loggers() -> Iterator[None]:
    """The command line sets up its loggers; the next test finds them as they were."""
    loggers = [logging.getLogger(name) for name in ("mirprobe", "mirprobe_tasks")]
    before = [(one.handlers, one.propagate, one.level) for one in loggers]
    yield
    for one, (handlers, propagate, level) in zip(loggers, before, strict=True):
        one.handlers, one.propagate = handlers, propagate
        one.setLevel(level)


@pytest.fixture(scope="session")
def tones(tmp_path_factory: pytest.TempPathFactory) -> Tones:
    """The data set of known truth, rendered."""
    dataset = Tones(Path(tmp_path_factory.mktemp("tones")))
    for tracks in dataset.splits().values():
        for _ in dataset.prepare(tracks):
            pass
    return dataset
