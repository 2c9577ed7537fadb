"""Version 1 of `studio`: steady tempo, whole pieces that end with a cadence, any choice of players.

Its pieces stay the same, so that scores and cached embeddings of it stay valid.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from mirprobe.core.schema import Split
from mirprobe_tasks.datasets.studio.band import Lineup, Player, make_lineup, play, solo_players
from mirprobe_tasks.datasets.studio.instruments import DRUMS, INSTRUMENTS
from mirprobe_tasks.datasets.studio.piece import BLOCK, METRES, Piece
from mirprobe_tasks.datasets.studio.progression import make_progression
from mirprobe_tasks.music import bass, comping
from mirprobe_tasks.music.metre import FOUR, SIX, Grid, Metre, drift
from mirprobe_tasks.music.mix import draw_mix
from mirprobe_tasks.music.pitch import KEYS
from mirprobe_tasks.music.random_choice import chance, pick, stream

T = TypeVar("T")

_SEED = 20_240
_LONGEST = 23.4  # upper limit of a piece in seconds

# instruments with a single role are drawn more often, so that every tag has enough positives
_WEIGHTS = {"reed": 3.2, "flute": 3.4, "voice": 2.6, "synth lead": 1.5, "synth pad": 7.0}
_SOLOISTS = ("piano", "electric piano", "organ", "acoustic guitar", "mallets")


def compose(split: Split, index: int, seed: int = 0) -> Piece:
    """The piece with this index in this split."""

    def draw(aspect: str) -> np.random.Generator:
        return stream(_SEED + seed, split, index, aspect)

    def dealt(options: Sequence[T], aspect: str) -> T:
        # each option occurs once in every block of pieces
        block, place = divmod(index, BLOCK)
        order = stream(_SEED + seed, split, block, aspect).permutation(BLOCK)
        return options[int(order[place])]

    key, metre = dealt(KEYS, "keys"), dealt(METRES, "metres")
    grid = make_grid(draw("time"), metre)
    lineup = _draw_lineup(draw("band"), split, grid)
    progression = make_progression(
        draw("harmony"), split, key, grid, roles=lineup.roles, excerpt=False
    )
    parts = play(draw("play"), lineup, key, grid, progression.spans)
    id = f"{f'1.{seed}-' if seed else ''}{split}-{index:04d}"
    return Piece(id, key, grid, progression, parts, lineup, draw_mix(draw("mix")))


def make_grid(rng: np.random.Generator, metre: Metre) -> Grid:
    """Draw tempo, lead-in, pickup, drift and swing of a piece."""
    fastest = 132.0 if metre == SIX else 176.0
    tempo = float(np.exp(rng.uniform(np.log(63.0), np.log(fastest))))
    beat = 60.0 / tempo
    lead = float(rng.uniform(0.05, 1.0))
    tail = float(rng.uniform(0.5, 0.9))
    pickup = int(rng.integers(1, metre.beats)) if chance(rng, 0.35) else 0
    room = _LONGEST - lead - tail - pickup * beat
    # the drift lengthens a piece by less than 2 %
    bars = int(room / (1.02 * beat * metre.beats))
    count = pickup + bars * metre.beats
    lengths = beat * (1.0 + drift(rng, count))
    boundaries = lead + np.concatenate([[0.0], np.cumsum(lengths)])
    swings = metre != SIX and chance(rng, 0.3)
    swing = float(rng.uniform(0.59, 0.67)) if swings else 0.5
    return Grid(metre, pickup, bars, boundaries, swing, float(boundaries[-1]) + tail)


def _draw_lineup(rng: np.random.Generator, split: Split, grid: Grid) -> Lineup:
    """Choose players, styles and patterns that belong to `split`."""
    style = pick(rng, comping.STYLES, (3, 2, 3.5, 1.5))
    staccato = style in ("block", "offbeat") and chance(rng, 0.45)
    walks = (2.5 if grid.metre == FOUR else 1.5) if grid.metre != SIX else 1.0
    bass_style = pick(rng, bass.STYLES, (4, 2.5, walks))
    with_drums, solo = chance(rng, 0.55), chance(rng, 0.16)
    players = solo_players(rng, pick(rng, _SOLOISTS)) if solo else _players(rng, with_drums, style)
    return make_lineup(
        rng, split, grid, players, style=style, bass_style=bass_style, staccato=staccato
    )


def _players(rng: np.random.Generator, with_drums: bool, style: str) -> tuple[Player, ...]:
    taken: set[str] = set()
    bassist, bass_program = _choose(rng, "bass", taken)
    comper, comp_program = _choose(rng, "comp", taken)
    if chance(rng, 0.15):
        # a duo: one instrument plays chords and bass
        bassist, bass_program = comper, comp_program
    players = [
        Player("bass", bassist, bass_program),
        Player("comp", comper, comp_program, int(rng.integers(54, 66))),
    ]
    if style != "held" and chance(rng, 0.45):
        players.append(Player("pad", *_choose(rng, "pad", taken), int(rng.integers(58, 70))))
    if chance(rng, 0.88):
        players.append(Player("melody", *_choose_melody(rng, taken)))
    if with_drums:
        players.append(Player("drums", DRUMS, 0))
    return tuple(players)


def _choose(rng: np.random.Generator, role: str, taken: set[str]) -> tuple[str, int]:
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


def _choose_melody(rng: np.random.Generator, taken: set[str]) -> tuple[str, int, int]:
    """As `_choose`, for the melody: instrument, program and mean pitch."""
    names = [name for name, inst in INSTRUMENTS.items() if inst.melody and name not in taken]
    name = pick(rng, names, [_WEIGHTS.get(name, 1.0) for name in names])
    taken.add(name)
    program, centre = pick(rng, INSTRUMENTS[name].melody)
    return name, program, centre
