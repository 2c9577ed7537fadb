"""Instruments: the General MIDI programs of each instrument tag, by role."""

from __future__ import annotations

from dataclasses import dataclass

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

STRUMMED = frozenset({"acoustic guitar", "electric guitar"})
"""Instruments whose chords are strummed."""
