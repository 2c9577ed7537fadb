"""What parts are made of, before and after the performance."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from mirprobe.core.schema import Floats

MERGE = 0.03
"""Notes that start within this many seconds of an onset belong to it."""


@dataclass(frozen=True)
class Event:
    """A note in the score.

    Attributes:
        start: position in beats.
        length: in beats.
        pitch: MIDI number; on the drum channel, the instrument.
        velocity: 1-127.
        ornament: whether the note may lie outside the chord that its part otherwise spells out.
    """

    start: float
    length: float
    pitch: int
    velocity: int
    ornament: bool = False


@dataclass(frozen=True)
class Note:
    """A note as played: `start` and `end` in seconds, the rest as in `Event`."""

    start: float
    end: float
    pitch: int
    velocity: int
    ornament: bool = False


@dataclass(frozen=True)
class Part:
    """One instrument's notes.

    Attributes:
        role: "melody", "comp", "pad", "bass" or "drums".
        instrument: a name from the instrument table, or "drums".
        program: General MIDI program, 0-127; ignored for drums.
        notes: sorted by start.
        gain: level in the mix, in dB relative to the melody.
    """

    role: str
    instrument: str
    program: int
    notes: tuple[Note, ...]
    gain: float


def onset_times(parts: Iterable[Part]) -> Floats:
    """When notes start, in seconds: the first of each group that starts within `MERGE`."""
    merged: list[float] = []
    for start in sorted(note.start for part in parts for note in part.notes):
        if not merged or start - merged[-1] > MERGE:
            merged.append(float(start))
    return np.array(merged)
