"""Bands: players on a sound font, room and microphone.

The name of its sound font and a number determine a band. It plays many tunes, which are one group
of the bank. Programs that the font does not have are never chosen.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from mirprobe_tasks.datasets.studio.band import Player
from mirprobe_tasks.music.random_choice import chance, pick
from mirprobe_tasks.music.sound_fonts import DRUM_BANK

_STRUMMED = {24: "acoustic guitar", 25: "acoustic guitar", 26: "electric guitar"}
_STRUMMED |= dict.fromkeys((27, 28, 105, 106), "electric guitar")


@dataclass(frozen=True)
class Family:
    """Instruments of one style: General MIDI programs, leads with their mean pitch.

    Attributes:
        leads: play the melody.
        comps: play chords.
        pads: hold chords.
        basses: play the bass.
        choir: play the voices of a piece for several voices.
        drums: probability of drums.
        styles: of the chords, from `music.comping.STYLES`.
        swings: probability that a tune in 4/4 is swung.
    """

    leads: tuple[tuple[int, int], ...]
    comps: tuple[int, ...]
    pads: tuple[int, ...]
    basses: tuple[int, ...]
    choir: tuple[int, ...]
    drums: float
    styles: tuple[str, ...]
    swings: float = 0.0


FAMILIES: dict[str, Family] = {
    "folk": Family(
        ((110, 74), (40, 75), (73, 77), (22, 70), (21, 72), (75, 77), (105, 66), (15, 72)),
        (24, 25, 21, 105, 15),
        (21, 20, 109),
        (32, 32, 43),
        (21, 40, 22),
        0.25,
        ("block", "offbeat", "arpeggio"),
    ),
    "chamber": Family(
        ((40, 76), (41, 66), (42, 58), (68, 73), (71, 70), (73, 77), (60, 62)),
        (0, 6, 46, 45, 48),
        (48, 49, 52, 19),
        (43, 42, 70),
        (48, 71, 68, 42, 56),
        0.0,
        ("arpeggio", "block", "held"),
    ),
    "jazz": Family(
        ((65, 68), (66, 62), (56, 70), (57, 58), (11, 72), (0, 74), (71, 70), (26, 67)),
        (0, 26, 4, 16),
        (16, 61, 50),
        (32, 32, 35),
        (61, 65, 66),
        0.8,
        ("block", "offbeat", "held"),
        swings=0.7,
    ),
    "rock": Family(
        ((29, 68), (30, 67), (27, 67), (18, 70), (81, 70), (65, 68)),
        (27, 29, 16, 25, 0),
        (18, 50, 48),
        (33, 34, 36),
        (29, 18, 30),
        0.95,
        ("block", "offbeat", "held"),
    ),
    "electronic": Family(
        ((80, 70), (81, 70), (87, 66), (85, 70), (98, 74), (5, 72)),
        (81, 5, 90, 87, 12),
        (50, 89, 95, 88, 94),
        (38, 39, 87),
        (81, 50, 80),
        0.85,
        ("arpeggio", "offbeat", "block"),
    ),
    "keys": Family(
        ((0, 74), (1, 74), (4, 71), (6, 72), (8, 80), (11, 74), (12, 72), (13, 78), (17, 70)),
        (0, 2, 4, 6, 11, 16),
        (16, 19, 89),
        (0, 32, 33),
        (0, 6, 19, 17),
        0.35,
        ("arpeggio", "block", "held"),
        swings=0.2,
    ),
    "church": Family(
        ((19, 70), (52, 67), (53, 68), (56, 70), (74, 76), (14, 72)),
        (19, 20, 46),
        (19, 52, 49),
        (19, 42, 58),
        (19, 52, 20, 56, 57),
        0.0,
        ("held", "block"),
    ),
    "world": Family(
        ((104, 66), (107, 68), (77, 72), (108, 74), (114, 70), (79, 76), (111, 72), (78, 76)),
        (46, 107, 15, 108, 24),
        (52, 89, 91, 109),
        (32, 35, 38),
        (78, 79, 104),
        0.5,
        ("arpeggio", "offbeat", "block"),
    ),
}


@dataclass(frozen=True)
class Band:
    """Players and recording. Keys of rendered tracks depend on it, by `repr`.

    Attributes:
        name: name of the font and a number.
        font: name of the sound font.
        family: a key of `FAMILIES`.
        leads: two players that alternate with the melody.
        players: the accompaniment, one per role.
        choir: programs for a piece for several voices.
        style: of the chords.
        bass_style: of the bass.
        swings: probability that a tune in 4/4 is swung.
        wet: level of the tail of the room relative to the direct sound, in dB.
        decay: of the room, in seconds.
        noise: level of the noise floor relative to the music, in dB.
        colour: of the noise, see `music.mix.Mix`.
        low_cut: cutoff of the high-pass of the recording, in Hz.
        high_cut: cutoff of the low-pass of the recording, in Hz.
        tuning: deviation from A = 440 Hz in cents.
    """

    name: str
    font: str
    family: str
    leads: tuple[Player, Player]
    players: tuple[Player, ...]
    choir: tuple[int, ...]
    style: str
    bass_style: str
    swings: float
    wet: float
    decay: float
    noise: float
    colour: float
    low_cut: float
    high_cut: float
    tuning: float


def make_band(font: str, number: int, presets: Collection[tuple[int, int]]) -> Band:
    """The band with this number on this font.

    Args:
        font: name of the sound font.
        number: from 0; consecutive numbers have different families.
        presets: the (bank, program) pairs of the font.
    """
    rng = np.random.default_rng([number, *font.encode()])
    name = list(FAMILIES)[number % len(FAMILIES)]
    family = FAMILIES[name]

    def uniform(low: float, high: float) -> float:
        return float(rng.uniform(low, high))

    def has(programs: tuple[int, ...]) -> tuple[int, ...]:
        # every General MIDI font has a piano, which replaces missing programs
        return tuple(program for program in programs if (0, program) in presets) or (0,)

    available = [lead for lead in family.leads if (0, lead[0]) in presets] or [(0, 72)]
    first = pick(rng, available)
    second = pick(rng, [lead for lead in available if lead != first] or [first])
    comp, bass = pick(rng, has(family.comps)), pick(rng, has(family.basses))
    players = [Player("bass", "bass", bass), _comper(rng, comp)]
    if chance(rng, 0.5):
        pad = pick(rng, has(family.pads))
        players.append(Player("pad", "pad", pad, int(rng.integers(58, 68))))
    if chance(rng, family.drums) and any(bank == DRUM_BANK for bank, _ in presets):
        players.append(Player("drums", "drums", 0))
    return Band(
        name=f"{font}-{number:02d}",
        font=font,
        family=name,
        leads=(Player("melody", "lead", *first), Player("melody", "lead", *second)),
        players=tuple(players),
        choir=tuple(pick(rng, has(family.choir)) for _ in range(2)),
        style=pick(rng, family.styles),
        bass_style=pick(rng, ("plain", "syncopated", "walking"), (4, 2, 1 + 4 * family.swings)),
        swings=family.swings,
        wet=-uniform(5.0, 24.0),
        decay=uniform(0.15, 1.6),
        noise=-uniform(22.0, 65.0),
        colour=pick(rng, (0.0, 0.5, 1.0)),
        low_cut=uniform(20.0, 60.0) if chance(rng, 0.7) else uniform(60.0, 250.0),
        high_cut=uniform(2500.0, 7500.0) if chance(rng, 0.5) else 7800.0,
        tuning=float(np.clip(rng.normal(0.0, 10.0), -30.0, 30.0)),
    )


def _comper(rng: np.random.Generator, program: int) -> Player:
    instrument = _STRUMMED.get(program, "comp")
    return Player("comp", instrument, program, int(rng.integers(54, 66)))
