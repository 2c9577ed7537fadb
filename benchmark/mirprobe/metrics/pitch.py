"""Pitch metrics over a corpus of tracks with one note each.

Conventions: notes in scientific pitch notation: a letter, any number of `#` or `b`, and the octave.
`"A4"` is 440 Hz and MIDI number 69; `"C4"` is middle C. Enharmonic spellings are equal (B#3 = C4).
The classes are the 128 MIDI notes, C-1 to G9. Values are in [0, 1].

Sources: accuracy as for NSynth (Engel et al., ICML 2017) and TinySOL (Cella et al., 2020); chroma
accuracy as in mir_eval.melody, for single notes: octave errors count as correct.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from mirprobe.core.bootstrap import Statistic, weighted_mean
from mirprobe.metrics.pitch_classes import PITCHES

METRICS: dict[str, str] = {
    "accuracy": "fraction of tracks with the correct note; enharmonic spellings are equal",
    "chroma_accuracy": "fraction of tracks with the correct pitch class, in any octave",
}

NOTES = tuple(f"{PITCHES[number % 12]}{number // 12 - 1}" for number in range(128))
"""The 128 classes; the index is the MIDI number."""

_NOTE = re.compile(r"([A-G])(#*|b*)(-?\d+)")


def midi_number(note: str) -> int:
    """MIDI number of a note, 0 to 127: its index in `NOTES`.

    Raises:
        ValueError: the note is not in scientific pitch notation, or is outside C-1 to G9.
    """
    read = _NOTE.fullmatch(note)
    if read is None:
        raise ValueError(f'"{note}" is not a letter from A to G, sharps or flats, and an octave')
    letter, accidentals, octave = read.groups()
    shift = len(accidentals) if "#" in accidentals else -len(accidentals)
    number = 12 * (int(octave) + 1) + PITCHES.index(letter) + shift
    if not 0 <= number < len(NOTES):
        raise ValueError(f'"{note}" is outside {NOTES[0]} to {NOTES[-1]}')
    return number


def corpus_scores(references: Sequence[str], estimates: Sequence[str]) -> dict[str, Statistic]:
    """Each of `METRICS` over the tracks.

    Raises:
        ValueError: `midi_number` cannot read a note, or the lists differ in length.
    """
    pairs = zip(references, estimates, strict=True)
    steps = [midi_number(estimate) - midi_number(reference) for reference, estimate in pairs]
    return {
        "accuracy": weighted_mean([step == 0 for step in steps]),
        "chroma_accuracy": weighted_mean([step % 12 == 0 for step in steps]),
    }
