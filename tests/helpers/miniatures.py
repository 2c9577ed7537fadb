"""Data sets of a few tracks in the layout of the real ones, with tones for music."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mirprobe.api.dataset import Dataset
from mirprobe.core.errors import ConfigError
from mirprobe.core.schema import SPLITS, Track

RATE = 8_000


def tone(path: Path, seconds: float = 0.5, frequency: float = 440.0) -> Path:
    """A sine, in the format that the file's ending says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    time = np.arange(round(seconds * RATE)) / RATE
    soundfile.write(path, 0.5 * np.sin(2 * np.pi * frequency * time), RATE)
    return path


def text(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return path


def tracks_of(dataset: Dataset) -> dict[str, Track]:
    splits = dataset.splits()
    return {track.id: track for split in SPLITS for track in splits[split]}


def ids_of(dataset: Dataset) -> dict[str, list[str]]:
    return {split: [track.id for track in tracks] for split, tracks in dataset.splits().items()}


def refusal(action: Callable[[], object]) -> str:
    """The one line of the ConfigError."""
    with pytest.raises(ConfigError) as caught:
        action()
    message = str(caught.value)
    assert "\n" not in message
    return message
