"""What the decoding of audio takes in memory, alone and ahead of a reader."""

from __future__ import annotations

import time
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mirprobe.core.errors import TrackError
from mirprobe.core.schema import Annotations, Track
from mirprobe.data.audio import load, prefetch

RATE = 16_000


def track(path: Path) -> Track:
    return Track("one", path, "group", Annotations())


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, name: str) -> None:
    """Beside the result; twice the length, the same blocks."""
    second = np.random.default_rng(0).normal(0, 0.1, (44_100, 2))
    beside = []
    for seconds in (90, 180):
        with soundfile.SoundFile(tmp_path / name, "w", 44_100, 2) as file:
            for _ in range(seconds):
                file.write(second)
        tracemalloc.start()
        try:
            loaded = load(track(tmp_path / name), RATE)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert abs(len(loaded) - seconds * RATE) <= 1
        beside.append(peak - loaded.nbytes)
    assert max(beside) < 10e6  # the stereo file as float32 takes 32 and 64 MB
    assert beside[1] - beside[0] < 1e5


def ahead_peak(path: Path, rate: int, count: int) -> int:
    """Bytes at most while a slow reader goes through a file `count` times, track after track."""
    tracks = [replace(track(path), id=str(number)) for number in range(count)]
    tracemalloc.start()
    try:
        for loaded in prefetch(tracks, rate):
            assert not isinstance(loaded, TrackError)
            time.sleep(0.1)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_what_is_decoded_ahead_is_bounded_in_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = 60
    path = tmp_path / "a.wav"
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, seconds * RATE), RATE)
    size = seconds * RATE * 4
    for ahead in (0.5, 1, 3):  # tracks; one is decoded ahead however long it is
        monkeypatch.setattr("mirprobe.data.audio.AHEAD_BYTES", ahead * size)
        assert (0.9 + max(ahead, 1)) * size < ahead_peak(path, RATE, 9)
        assert ahead_peak(path, RATE, 9) < (1.1 + max(ahead, 1)) * size + 5e6


def test_recordings_of_seventy_minutes(tmp_path: Path) -> None:
    """The reader's and one ahead as float32: together what one of them takes as float64."""
    minute = np.random.default_rng(0).normal(0, 0.1, 60 * 16_000)
    path = tmp_path / "a.wav"
    with soundfile.SoundFile(path, "w", 16_000, 1, "PCM_U8") as file:
        for _ in range(70):
            file.write(minute)
    assert ahead_peak(path, 16_000, 3) < 540e6 + 10e6
