"""Casting: the features of the pieces of a block, each equally often in every block.

Key, metre, swing, breathing tempo, formation, style and instruments are dealt like cards. Every
split consists of whole blocks, so that each tag has the same share of positives in all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np

from mirprobe.core.schema import Split
from mirprobe_tasks.datasets.studio.band import Player, solo_players
from mirprobe_tasks.datasets.studio.instruments import DRUMS, INSTRUMENTS
from mirprobe_tasks.datasets.studio.piece import BLOCK, METRES
from mirprobe_tasks.music.metre import SIX, Metre
from mirprobe_tasks.music.pitch import KEYS, Key
from mirprobe_tasks.music.random_choice import pick, stream

T = TypeVar("T")


def _deck(**counts: int) -> tuple[str, ...]:
    return tuple(n.replace("_", " ") for n, count in counts.items() for _ in range(count))


# the cards of a block
_BREATHING, _SWING = BLOCK // 2, 6
_STYLES = _deck(arpeggio=8, block=4, block_staccato=4, offbeat=2, offbeat_staccato=2, held=4)
_BASS_STYLES = _deck(plain=10, syncopated=7, walking=7)
_SOLO = _deck(piano=1, organ=1, acoustic_guitar=1, mallets=1)
_DUOS = 3  # one instrument plays chords and bass
_DRUMS = 12
_BASSES = _deck(acoustic_bass=5, electric_bass=7, synth_bass=5)
_COMPS = _deck(
    piano=3,
    electric_piano=4,
    organ=2,
    mallets=3,
    acoustic_guitar=3,
    electric_guitar=3,
    strings=1,
    synth_lead=1,
)
_MELODIES = _deck(reed=4, flute=4, voice=3, synth_lead=3, brass=3, strings=2, electric_guitar=1)
_PADS = _deck(synth_pad=4, strings=1, voice=1, organ=1, brass=1)


@dataclass(frozen=True)
class Cast:
    """What a block determines of a piece.

    Attributes:
        key: of the piece.
        metre: its time signature.
        swings: whether off-beats are late.
        breathes: whether the tempo varies.
        style: of the chords.
        staccato: whether all notes are short.
        bass_style: one of `bass.STYLES`.
        instruments: role -> instrument; drums included.
    """

    key: Key
    metre: Metre
    swings: bool
    breathes: bool
    style: str
    staccato: bool
    bass_style: str
    instruments: dict[str, str]

    def players(self, rng: np.random.Generator) -> tuple[Player, ...]:
        """The players, with a program of each instrument."""
        cast = self.instruments
        if cast["melody"] == cast["comp"]:
            return solo_players(rng, cast["comp"])
        comp = int(pick(rng, INSTRUMENTS[cast["comp"]].comp))
        players = []
        for role, name in cast.items():
            instrument = INSTRUMENTS.get(name)
            if instrument is None:
                players.append(Player(role, DRUMS, 0))
            elif role == "melody":
                program, centre = pick(rng, instrument.melody)
                players.append(Player(role, name, program, centre))
            elif name == cast["comp"]:
                players.append(Player(role, name, comp, int(rng.integers(54, 66))))
            else:
                program = int(pick(rng, getattr(instrument, role)))
                players.append(Player(role, name, program, int(rng.integers(58, 70))))
        return tuple(players)


@lru_cache(maxsize=64)
def cast_block(seed: int, split: Split, block: int) -> tuple[Cast, ...]:
    """The casts of a block of pieces.

    Args:
        seed: of the data set.
        split: of the pieces.
        block: number of the block in the split.
    """
    rng = stream(seed, split, block, "casting")
    keys, metres = _deal(rng, KEYS), _deal(rng, METRES)
    styles, bass_styles = _deal(rng, _STYLES), _deal(rng, _BASS_STYLES)
    breathing = _places(rng, range(BLOCK), _BREATHING)
    swinging = _places(rng, [n for n, metre in enumerate(metres) if metre != SIX], _SWING)
    bands = _instruments(rng, styles)
    return tuple(
        Cast(
            key=keys[n],
            metre=metres[n],
            swings=n in swinging,
            breathes=n in breathing,
            style=styles[n].split()[0],
            staccato=styles[n].endswith("staccato"),
            bass_style=bass_styles[n],
            instruments=bands[n],
        )
        for n in range(BLOCK)
    )


def _instruments(rng: np.random.Generator, styles: Sequence[str]) -> list[dict[str, str]]:
    """Role -> instrument for the pieces of a block; no instrument twice in a band."""
    solo = _deal(rng, range(BLOCK))[: len(_SOLO)]
    others = [n for n in range(BLOCK) if n not in solo]
    bands: list[dict[str, str]] = [{} for _ in range(BLOCK)]
    for n, name in zip(solo, _SOLO, strict=True):
        bands[n] = {"bass": name, "comp": name, "melody": name}
    padded = [n for n in others if styles[n] != "held"]
    while True:
        comps = dict(zip(others, _deal(rng, _COMPS), strict=True))
        melodies = dict(zip(others, _deal(rng, _MELODIES), strict=True))
        pads = dict(zip(sorted(_places(rng, padded, len(_PADS))), _deal(rng, _PADS), strict=True))
        if all(len({comps[n], melodies[n], pads.get(n)}) == 3 for n in others):
            break
    duos = _places(rng, others, _DUOS)
    basses = iter(_deal(rng, _BASSES))
    drums = _places(rng, others, _DRUMS)
    for n in others:
        bands[n] = {"bass": comps[n] if n in duos else next(basses), "comp": comps[n]}
        bands[n] |= {"pad": pads[n]} if n in pads else {}
        bands[n] |= {"melody": melodies[n]} | ({"drums": DRUMS} if n in drums else {})
    return bands


def _deal(rng: np.random.Generator, cards: Sequence[T]) -> list[T]:
    """The cards in random order."""
    return [cards[place] for place in rng.permutation(len(cards))]


def _places(rng: np.random.Generator, eligible: Iterable[int], count: int) -> frozenset[int]:
    """`count` of the eligible places."""
    return frozenset(_deal(rng, list(eligible))[:count])
