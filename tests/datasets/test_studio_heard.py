"""Version 2: annotations against the rendered audio, and rendering in several processes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path

import mir_eval
import numpy as np
import pytest
import soundfile
from scipy.signal import stft

from mirprobe.core.schema import Floats
from mirprobe_tasks.datasets.studio import Studio, file_name, render
from mirprobe_tasks.datasets.studio.compose import compose
from mirprobe_tasks.datasets.studio.piece import Piece
from mirprobe_tasks.music.mix import Mix
from mirprobe_tasks.music.rendering import SAMPLE_RATE, write_flac

CLOSE = Mix(-3.0, -30.0, 0.2, -70.0, 0.0, 9000.0, 0.0, 1)
HOP = 64
RATE = SAMPLE_RATE / HOP


@pytest.fixture(scope="module")
def heard() -> list[tuple[Piece, Floats]]:
    pieces = [dataclasses.replace(compose("valid", index), mix=CLOSE) for index in range(8)]
    return [(piece, render(piece)) for piece in pieces]


def flux(audio: Floats) -> Floats:
    """(frames,) rise of the log spectrum at `RATE`, frame i centred at i / RATE."""
    _, _, spectrum = stft(audio, nperseg=512, noverlap=512 - HOP, boundary="even")
    level = np.log1p(1000 * np.abs(spectrum))
    rise = np.maximum(level[:, 4:] - level[:, :-4], 0.0).mean(axis=0)
    return np.concatenate([np.zeros(2), rise, np.zeros(2)])


def near(values: Floats, times: Iterable[float], reach: float = 0.03) -> Floats:
    """Maximum of `values` within `reach` seconds of each time."""
    spread = round(reach * RATE)
    frames = np.rint(np.asarray(list(times)) * RATE).astype(int)
    return np.array([values[max(0, n - spread) : n + spread + 1].max() for n in frames])


def test_energy_rises_at_onsets(heard: list[tuple[Piece, Floats]]) -> None:
    for piece, audio in heard:
        strength = flux(audio)
        gaps = np.diff(piece.onsets)
        silent = piece.onsets[:-1][gaps > 0.15] + gaps[gaps > 0.15] / 2
        assert len(silent) > 8
        assert np.median(near(strength, piece.onsets)) > 1.5 * np.median(near(strength, silent))


def test_beats_coincide_with_more_energy_than_times_between_them(
    heard: list[tuple[Piece, Floats]],
) -> None:
    for piece, audio in heard:
        strength, grid = flux(audio), piece.grid
        on = near(strength, grid.beats.times).mean()
        between = [grid.seconds(beat + phase) for beat in range(grid.total) for phase in (0.2, 0.8)]
        assert on > 1.5 * near(strength, between).mean()


def test_each_chord_sounds_like_its_label(heard: list[tuple[Piece, Floats]]) -> None:
    right = []
    for piece, audio in heard:
        truth = piece.annotations().chords
        assert truth is not None
        frequencies, times, spectrum = stft(audio, fs=SAMPLE_RATE, nperseg=4096)
        inside = (frequencies > 60) & (frequencies < 2000)
        pitch = np.rint(12 * np.log2(frequencies[inside] / 440) + 69).astype(int) % 12
        energy = np.sqrt(np.abs(spectrum[inside]))
        bitmaps = {
            label: np.roll(bitmap, root) - bitmap.mean()
            for label in truth.labels
            if label != "N"
            for root, bitmap, _ in [mir_eval.chord.encode(label)]
        }
        for (start, end), label in zip(truth.intervals, truth.labels, strict=True):
            if label == "N" or end - start < 0.5:
                continue
            frames = energy[:, (times > start + 0.1) & (times < end - 0.1)].sum(axis=1)
            chroma = np.bincount(pitch, frames, minlength=12)
            best = max(bitmaps, key=lambda name: float(chroma @ bitmaps[name]))
            right.append(np.array_equal(bitmaps[best], bitmaps[label]))
    assert len(right) > 30
    assert np.mean(right) > 0.6


def test_files_do_not_depend_on_the_number_of_processes(tmp_path: Path) -> None:
    studio = Studio(tmp_path / "several")
    tracks = studio.splits()["valid"][:3]
    assert len(list(studio.prepare(tracks))) == 3
    for index, track in enumerate(tracks):
        piece = compose("valid", index)
        alone = tmp_path / file_name(piece)
        write_flac(alone, render(piece))
        assert alone.name == track.audio.name
        assert alone.read_bytes() == track.audio.read_bytes()
        assert soundfile.info(alone).duration == pytest.approx(piece.grid.duration, abs=1e-4)
