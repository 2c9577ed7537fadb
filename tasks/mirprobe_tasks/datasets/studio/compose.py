"""Composition of a piece of version 2, determined by its split and index: an excerpt of about 15 s.

The tempo of half of the pieces breathes: it follows the phrases, drifts, and slows down at the end
of some. The coefficient of variation of their beat intervals is drawn from `BREATHING`.
"""

from __future__ import annotations

import numpy as np

from mirprobe.core.schema import Floats, Split
from mirprobe_tasks.datasets.studio.band import make_lineup, play
from mirprobe_tasks.datasets.studio.casting import Cast, cast_block
from mirprobe_tasks.datasets.studio.piece import BLOCK, Piece
from mirprobe_tasks.datasets.studio.progression import make_progression
from mirprobe_tasks.music.metre import SIX, Grid, drift
from mirprobe_tasks.music.mix import draw_mix
from mirprobe_tasks.music.random_choice import chance, stream

LENGTHS = (13.0, 16.0)
"""Range of the music in seconds, before it is rounded to whole bars."""

BREATHING = (0.02, 0.06)
"""Range of the coefficient of variation of the beat intervals in pieces whose tempo breathes."""

_SEED = 20_260


def compose(split: Split, index: int, seed: int = 0) -> Piece:
    """The piece with this index in this split."""

    def draw(aspect: str) -> np.random.Generator:
        return stream(_SEED + seed, split, index, aspect)

    cast = cast_block(_SEED + seed, split, index // BLOCK)[index % BLOCK]
    grid = make_grid(draw("time"), cast)
    band = draw("band")
    lineup = make_lineup(
        band,
        split,
        grid,
        cast.players(band),
        style=cast.style,
        bass_style=cast.bass_style,
        staccato=cast.staccato,
    )
    progression = make_progression(
        draw("harmony"), split, cast.key, grid, roles=lineup.roles, excerpt=True
    )
    parts = play(draw("play"), lineup, cast.key, grid, progression.spans, expressive=True)
    id = f"2.{seed}-{split}-{index:04d}"
    return Piece(id, cast.key, grid, progression, parts, lineup, draw_mix(draw("mix")))


def make_grid(rng: np.random.Generator, cast: Cast) -> Grid:
    """Draw length, tempo, lead-in, first beat, tempo curve and swing of a piece."""
    metre = cast.metre
    beat = 60.0 / float(np.exp(rng.uniform(np.log(64.0), np.log(126.0 if metre == SIX else 166.0))))
    lead, tail = float(rng.uniform(0.05, 0.6)), float(rng.uniform(0.4, 0.8))
    pickup = int(rng.integers(1, metre.beats)) if chance(rng, 0.5) else 0
    bars = max(3, round((rng.uniform(*LENGTHS) / beat - pickup) / metre.beats))
    count = pickup + bars * metre.beats
    curve = breathe(rng, count, bars) if cast.breathes else drift(rng, count)
    boundaries = lead + np.concatenate([[0.0], np.cumsum(beat * (1.0 + curve))])
    swing = float(rng.uniform(0.58, 0.67)) if cast.swings else 0.5
    return Grid(metre, pickup, bars, boundaries, swing, float(boundaries[-1]) + tail)


def breathe(rng: np.random.Generator, count: int, bars: int) -> Floats:
    """(count,) relative deviation of the length of each beat.

    The sum of an arch over each phrase of two to four bars (faster in its middle), a drift, and in
    half of the pieces a ritardando over the last beats, scaled to the drawn variation.
    """
    place = np.linspace(0.0, max(1.0, bars / rng.integers(2, 5)), count)
    curve = -np.sin(np.pi * (place % 1.0)) * rng.uniform(0.5, 1.5)
    curve += 40.0 * drift(rng, count, (0.008, 0.015), 3)
    if chance(rng, 0.5):
        slowing = int(rng.integers(3, 7))
        curve[-slowing:] += np.linspace(0.0, rng.uniform(1.5, 3.0), slowing + 1)[1:]
    inner = curve[:-1]  # the last beat has no next one
    return np.asarray((curve - inner.mean()) * (rng.uniform(*BREATHING) / inner.std()))
