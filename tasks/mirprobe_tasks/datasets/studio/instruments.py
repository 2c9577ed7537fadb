"""Instruments: the General MIDI programs of each instrument tag, by role."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mirprobe_tasks.music.random_choice import pick

DRUMS = "drums"


@dataclass(frozen=True)
class Instrument:
    """The programs of one instrument tag.

    Attributes:
        melody: programs (General MIDI, 0-127) that play melodies, with their mean pitch.
        comp: programs that play chords.
        pad: programs that hold chords.
        bass: programs that play bass lines.
    """

    melody: tuple[tuple[int, int], ...] = ()
    comp: tuple[int, ...] = ()
    pad: tuple[int, ...] = ()
    bass: tuple[int, ...] = ()


INSTRUMENTS: dict[str, Instrument] = {
    "piano": Instrument(melody=((0, 72), (1, 74)), comp=(0, 1, 2, 3)),
    "electric piano": Instrument(melody=((4, 70),), comp=(4, 5)),
    "organ": Instrument(melody=((17, 70),), comp=(16, 17, 18), pad=(16, 19)),
    "mallets": Instrument(melody=((11, 74), (12, 72), (13, 78), (9, 82)), comp=(11, 12)),
    "acoustic guitar": Instrument(melody=((24, 66), (25, 68)), comp=(24, 25)),
    "electric guitar": Instrument(melody=((26, 67), (29, 69), (30, 67)), comp=(26, 27, 28)),
    "strings": Instrument(melody=((40, 76), (42, 58), (48, 72)), comp=(45,), pad=(48, 49)),
    "brass": Instrument(melody=((56, 70), (57, 56), (60, 60)), comp=(61,), pad=(60, 61)),
    "reed": Instrument(melody=((65, 68), (66, 61), (68, 73), (71, 70))),
    "flute": Instrument(melody=((73, 78), (75, 77), (74, 78))),
    "voice": Instrument(melody=((52, 66), (53, 68)), pad=(52, 53)),
    "synth lead": Instrument(melody=((80, 70), (81, 70), (87, 68), (84, 70)), comp=(81, 87)),
    "synth pad": Instrument(pad=(50, 89, 90, 95)),
    "acoustic bass": Instrument(bass=(32,)),
    "electric bass": Instrument(bass=(33, 34, 35, 36)),
    "synth bass": Instrument(bass=(38, 39)),
}
"""Tag -> programs, for all pitched instruments."""

# instruments with a single role are drawn more often, so that every tag has enough positives
_WEIGHTS = {"reed": 3.2, "flute": 3.4, "voice": 2.6, "synth lead": 1.5, "synth pad": 7.0}

SOLOISTS = ("piano", "electric piano", "organ", "acoustic guitar", "mallets")
"""Instruments that can play a whole piece without others."""

STRUMMED = frozenset({"acoustic guitar", "electric guitar"})
"""Instruments whose chords are strummed."""


def choose(rng: np.random.Generator, role: str, taken: set[str]) -> tuple[str, int]:
    """An instrument for a role, and one of its programs.

    Args:
        rng: source of the draws.
        role: "comp", "pad" or "bass".
        taken: instruments that must not be chosen; the choice is added.
    """
    options = {
        name: programs
        for name, instrument in INSTRUMENTS.items()
        if (programs := getattr(instrument, role)) and name not in taken
    }
    name = pick(rng, list(options), [_WEIGHTS.get(name, 1.0) for name in options])
    taken.add(name)
    return name, int(pick(rng, options[name]))


def choose_melody(rng: np.random.Generator, taken: set[str]) -> tuple[str, int, int]:
    """As `choose`, for the melody: instrument, program and mean pitch."""
    names = [name for name, inst in INSTRUMENTS.items() if inst.melody and name not in taken]
    name = pick(rng, names, [_WEIGHTS.get(name, 1.0) for name in names])
    taken.add(name)
    program, centre = pick(rng, INSTRUMENTS[name].melody)
    return name, program, centre
