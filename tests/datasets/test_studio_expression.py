"""Version 2: tempo curves, timing, dynamics and articulation of the players."""

from __future__ import annotations

import numpy as np
import pytest

from mirprobe_tasks.datasets.studio.compose import BREATHING, breathe, compose
from mirprobe_tasks.datasets.studio.expression import express
from mirprobe_tasks.datasets.studio.piece import Piece
from mirprobe_tasks.music.metre import FOUR, Grid
from mirprobe_tasks.music.midi import TICK
from mirprobe_tasks.music.notes import Event


@pytest.fixture(scope="module")
def pieces() -> list[Piece]:
    return [compose("train", index) for index in range(48)]


def steady() -> Grid:
    """Four bars of 4/4 at 120 beats per minute."""
    return Grid(FOUR, 0, 4, 0.5 * np.arange(17.0), 0.5, 8.5)


def line() -> list[Event]:
    return [Event(float(beat), 0.9, 60 + beat % 5, 80) for beat in range(16)]


def test_a_tempo_curve_has_the_drawn_variation() -> None:
    for seed in range(50):
        inner = breathe(np.random.default_rng(seed), 24, 6)[:-1]
        assert inner.mean() == pytest.approx(0.0, abs=1e-12)
        assert BREATHING[0] <= inner.std() <= BREATHING[1]


def test_notes_are_played_within_milliseconds_of_the_beats(pieces: list[Piece]) -> None:
    deviations = []
    for piece in pieces:
        steps = piece.grid.metre.steps * (2 if piece.grid.metre.steps == 3 else 1)
        places = np.arange(0.0, piece.grid.total, 1 / steps)
        grid = np.array([piece.grid.seconds(place) for place in places])
        for part in piece.parts:
            starts = np.array([note.start for note in part.notes])
            assert np.allclose(starts / TICK, np.rint(starts / TICK))
            deviations += np.abs(starts[:, None] - grid).min(axis=1).tolist()
    assert np.median(deviations) < 0.008
    assert np.quantile(deviations, 0.99) < 0.04


def test_onsets_are_those_of_the_notes(pieces: list[Piece]) -> None:
    for piece in pieces:
        starts = np.array([note.start for part in piece.parts for note in part.notes])
        assert set(piece.onsets) <= set(starts)
        nearest = starts[:, None] - piece.onsets
        late = np.where(nearest >= 0, nearest, np.inf).min(axis=1)
        assert late.max() <= 0.030 + 1e-9


def test_legato_notes_overlap_and_detached_ones_do_not() -> None:
    ratios = set()
    for seed in range(40):
        played = express(np.random.default_rng(seed), steady(), line(), "melody", staccato=False)
        assert [event.start for event in played] == [event.start for event in line()]
        ratios |= {round(event.length, 3) for event in played[:-1]}
    assert ratios == {1.04, 0.828, 0.63, 0.405}  # legato from start to start, else parts of .9


@pytest.mark.parametrize(("role", "low", "high"), [("comp", 0.225, 0.36), ("pad", 0.9, 0.9)])
def test_staccato_shortens_all_but_pads_and_drums(role: str, low: float, high: float) -> None:
    played = express(np.random.default_rng(0), steady(), line(), role, staccato=True)
    assert all(low <= event.length <= high for event in played)


def test_dynamics_are_arches_over_two_or_four_bars_and_accents() -> None:
    rngs = [np.random.default_rng(seed) for seed in range(600)]
    played = [express(rng, steady(), line(), "bass", staccato=False) for rng in rngs]
    levels = np.array([[event.velocity for event in events] for events in played])
    beats = np.arange(16)
    arch = (np.sin(np.pi * (beats / 8 % 1)) + np.sin(np.pi * beats / 16)) / 2
    expected = 80 + 9.0 * (arch - 0.6) + 5.5 * (np.where(beats % 4, 0.5, 1.0) - 0.4)
    assert np.abs(levels.mean(axis=0) - expected).max() < 0.8  # the trends cancel out


def test_staccato_pieces_sound_shorter(pieces: list[Piece]) -> None:
    def sounding(piece: Piece) -> float:
        melody = next(part for part in piece.parts if part.role == "melody")
        starts = np.array([note.start for note in melody.notes])
        lengths = np.array([note.end - note.start for note in melody.notes])
        return float(np.median(lengths[:-1] / np.diff(starts)))

    short = [sounding(piece) for piece in pieces if "staccato" in piece.tags]
    others = [sounding(piece) for piece in pieces if "staccato" not in piece.tags]
    assert 0.2 < min(short) < max(short) < 0.5
    assert np.mean(np.array(others) > 0.8) > 0.5
