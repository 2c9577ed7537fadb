"""Lead sheets: tunes with notes in beats, whole bars and a key."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mirprobe_tasks.music.metre import FOUR, SIX, THREE, Metre
from mirprobe_tasks.music.pitch import KEYS, Key, Mode
from mirprobe_tasks.pretraining_corpus.tunes import TICKS, Tune

# Time signature -> metre of the accompaniment, and length of a beat in quarter notes. Bars of two
# beats are joined in pairs.
_METRES: dict[str, tuple[Metre, float]] = {
    "4/4": (FOUR, 1.0),
    "2/4": (FOUR, 1.0),
    "2/2": (FOUR, 1.0),
    "4/2": (FOUR, 2.0),
    "2/1": (FOUR, 2.0),
    "3/4": (THREE, 1.0),
    "3/2": (THREE, 2.0),
    "3/1": (THREE, 4.0),
    "3/8": (SIX, 1.5),
    "6/8": (SIX, 1.5),
    "12/8": (SIX, 1.5),
    "6/4": (SIX, 3.0),
}
_FEWEST_BARS = 4

# Probe-tone ratings of each degree in a key (Krumhansl & Kessler 1982).
_RATINGS: dict[Mode, tuple[float, ...]] = {
    "major": (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
    "minor": (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
}
_PROFILES = {
    mode: np.array([np.roll(row, tonic) for tonic in range(12)])
    for mode, ratings in _RATINGS.items()
    for row in [(np.array(ratings) - np.mean(ratings)) / np.std(ratings)]
}


@dataclass(frozen=True)
class MelodyNote:
    """A note: start and length in beats, and MIDI number."""

    start: float
    length: float
    pitch: int


@dataclass(frozen=True)
class LeadSheet:
    """One pass through a tune.

    Attributes:
        metre: of the accompaniment.
        pickup: whole beats before the first downbeat.
        bars: whole bars after the pickup; the next pass starts at the end of the last one.
        voices: the notes of each voice; beat 0 is the start of the pickup.
        key: estimated by `find_key`.
    """

    metre: Metre
    pickup: int
    bars: int
    voices: tuple[tuple[MelodyNote, ...], ...]
    key: Key

    @property
    def beats(self) -> int:
        """Beats from the first downbeat of a pass to that of the next."""
        return self.bars * self.metre.beats


def lead_sheet(tune: Tune) -> LeadSheet | None:
    """The lead sheet of a tune; None if its metre is unknown or irregular, or if it is too short.

    Pieces for several voices have no accompaniment and need no metre.
    """
    if tune.metre not in _METRES and len(tune.voices) == 1:
        return None
    metre, beat = _METRES.get(tune.metre, (FOUR, 1.0))
    ticks = beat * TICKS
    pickup = math.ceil(tune.pickup / ticks) % metre.beats if tune.pickup else 0
    shift = (-tune.pickup / ticks) % 1.0
    voices = tuple(
        tuple(
            MelodyNote(float(onset / ticks + shift), float(length / ticks), int(pitch))
            for onset, length, pitch in zip(line.onsets, line.durations, line.pitches, strict=True)
        )
        for line in tune.voices
    )
    end = max(note.start + note.length for line in voices for note in line)
    bars = math.ceil((end - pickup) / metre.beats - 1e-6)
    if bars < _FEWEST_BARS:
        return None
    return LeadSheet(metre, pickup, bars, voices, find_key(tune))


def find_key(tune: Tune) -> Key:
    """The key with the best profile correlation, plus bonuses for key signature and last note."""
    heard = np.zeros(12)
    for line in tune.voices:
        np.add.at(heard, line.pitches % 12, line.durations)
    # correlation of the histogram with the profile on each of the twelve tonics
    heard = (heard - heard.mean()) / (heard.std() or 1.0)
    likeness = {mode: profiles @ heard / 12 for mode, profiles in _PROFILES.items()}
    lowest = min(tune.voices, key=lambda line: float(line.pitches.mean()))
    last = int(lowest.pitches[-1]) % 12

    def fit(key: Key) -> float:
        tonic = key.tonic.pitch_class
        fits = float(likeness[key.mode][tonic])
        if tune.sharps is not None:
            major = tonic if key.mode == "major" else (tonic + 3) % 12
            fits += 0.2 * (major == tune.sharps * 7 % 12)
        return fits + 0.2 * (tonic == last)

    return max(KEYS, key=fit)
