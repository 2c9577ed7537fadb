"""Tempo, number of passes and key of a performance, drawn before its notes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mirprobe_tasks.music.metre import FOUR, Grid, drift
from mirprobe_tasks.music.random_choice import chance
from mirprobe_tasks.pretraining_corpus.bands import Band
from mirprobe_tasks.pretraining_corpus.leadsheet import LeadSheet

SHORTEST, LONGEST = 40.0, 80.0
"""Approximate seconds of a track; a short tune is repeated, a long one is cut."""

_TAIL = 1.2  # seconds after the last beat
_TEMPI = {"4/4": (72.0, 168.0), "3/4": (80.0, 190.0), "6/8": (52.0, 126.0)}


@dataclass(frozen=True, eq=False)
class Timing:
    """Beats in seconds, number of passes, and transposition of the tune in semitones."""

    grid: Grid
    passes: int
    transposition: int


def draw_timing(rng: np.random.Generator, sheet: LeadSheet, band: Band, *, take: int = 0) -> Timing:
    """Draw tempo, passes and key; fast enough to plan hours of audio before rendering."""
    low, high = np.log(_TEMPI[sheet.metre.name])
    beat = 60.0 / float(np.exp(rng.uniform(low, high)))
    lengths = [note.length for note in sheet.voices[0]]
    # the median note lasts at least an eighth of a second
    beat = max(beat, 0.125 / float(np.median(lengths)))
    bar = beat * sheet.metre.beats
    wanted = float(rng.uniform(SHORTEST, 0.9 * LONGEST))
    passes = max(1, round(wanted / (bar * sheet.bars)))
    bars = min(passes * sheet.bars, int(LONGEST / bar))
    passes = -(-bars // sheet.bars)
    swings = sheet.metre == FOUR and chance(rng, band.swings)
    count = sheet.pickup + bars * sheet.metre.beats
    lead = float(rng.uniform(0.05, 0.6))
    boundaries = lead + np.append(
        0.0, np.cumsum(beat * (1.0 + drift(rng, count, (0.002, 0.010), 8)))
    )
    grid = Grid(
        metre=sheet.metre,
        pickup=sheet.pickup,
        bars=bars,
        boundaries=boundaries,
        swing=float(rng.uniform(0.58, 0.67)) if swings else 0.5,
        duration=float(boundaries[-1]) + _TAIL,
    )
    key, other = int(rng.integers(12)), int(rng.integers(1, 12))
    return Timing(grid, passes, (key + take % 2 * other) % 12 - 5)
