"""Audio files that tests write, and what loading them says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from mirprobe.core.errors import TrackError
from mirprobe.core.schema import Annotations, Floats, Track
from mirprobe.data.audio import load

RATE = 16_000


def track(path: Path, start: float = 0.0, stop: float | None = None) -> Track:
    return Track("one", path, "group", Annotations(), start, stop)


def sine(rate: int, seconds: float, frequency: float = 440.0) -> Floats:
    return np.asarray(0.5 * np.sin(2 * np.pi * frequency * np.arange(round(rate * seconds)) / rate))


def write(path: Path, samples: Floats, rate: int = RATE, subtype: str | None = None) -> Path:
    soundfile.write(path, samples, rate, subtype=subtype)
    return path


def refusal(path: Path, start: float = 0.0, stop: float | None = None) -> str:
    """The one line that `load` refuses a file with, without the file's name."""
    with pytest.raises(TrackError) as caught:
        load(track(path, start, stop), RATE)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{path}: ")
    return message.removeprefix(f"{path}: ")


REPLACE = "replace the file or leave the track out"
