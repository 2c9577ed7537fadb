"""Notes and parts, in the score and as played."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from mirprobe.core.schema import Floats

ONSET_DISTANCE = 0.030
"""Onsets within this time (in seconds) after an onset belong to it, as in a strummed chord."""


@dataclass(frozen=True)
class Event:
    """A note in the score.

    Attributes:
        start: position in beats.
        length: in beats.
        pitch: MIDI number; for drums, the number of the drum.
        velocity: 1-127.
        ornament: whether the note may lie outside the chord.
    """

    start: float
    length: float
    pitch: int
    velocity: int
    ornament: bool = False


@dataclass(frozen=True)
class Note:
    """A note as played: `start` and `end` in seconds, the others as in `Event`."""

    start: float
    end: float
    pitch: int
    velocity: int
    ornament: bool = False


@dataclass(frozen=True)
class Part:
    """The notes of one instrument.

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
    """(n,) merged onset times of all notes in seconds."""
    return merge_onsets(note.start for part in parts for note in part.notes)


def merge_onsets(onsets: Iterable[float]) -> Floats:
    """(n,) sorted onsets in seconds without those within `ONSET_DISTANCE` after a kept one."""
    kept: list[float] = []
    for onset in sorted(map(float, onsets)):
        if not kept or onset - kept[-1] > ONSET_DISTANCE:
            kept.append(onset)
    return np.array(kept, dtype=np.float64)
