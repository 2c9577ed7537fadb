"""Composition of a piece, determined by its split and index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from mirprobe.core.schema import Annotations, Floats, Split
from mirprobe_tasks.datasets.studio import instruments
from mirprobe_tasks.datasets.studio.band import Lineup, draw_lineup, play
from mirprobe_tasks.datasets.studio.progression import Progression, make_progression
from mirprobe_tasks.music.metre import FOUR, SIX, THREE, Grid, Metre, make_grid
from mirprobe_tasks.music.mix import Mix, draw_mix
from mirprobe_tasks.music.notes import Part, onset_times
from mirprobe_tasks.music.pitch import KEYS, Key
from mirprobe_tasks.music.random_choice import stream

T = TypeVar("T")

BLOCK = len(KEYS)
"""Pieces in a block; each block of a split has every key once."""

TEXTURES = (
    "solo",
    "arpeggio",
    "block chords",
    "sustained pad",
    "walking bass",
    "staccato",
    "swing",
)
TAGS: tuple[str, ...] = (*instruments.INSTRUMENTS, instruments.DRUMS, *TEXTURES)
"""The tag vocabulary: instruments, then textures."""

_METRES: tuple[Metre, ...] = (FOUR,) * 12 + (THREE,) * 6 + (SIX,) * 6


@dataclass(frozen=True, eq=False)
class Piece:
    """A composed and performed piece, ready to be rendered.

    Attributes:
        id: such as `"train-0017"`.
        key: its key.
        grid: beats in seconds.
        progression: its chords.
        parts: the notes of each instrument.
        lineup: players, styles and patterns.
        mix: levels, room, noise and tuning.
    """

    id: str
    key: Key
    grid: Grid
    progression: Progression
    parts: tuple[Part, ...]
    lineup: Lineup
    mix: Mix

    @property
    def templates(self) -> frozenset[str]:
        """Names of the accompaniment patterns and phrases; no two splits share one."""
        phrases = {phrase.name for phrase in self.progression.phrases}
        return frozenset(phrases | {pattern.name for pattern in self.lineup.patterns})

    @property
    def tags(self) -> frozenset[str]:
        """The tags that apply."""
        swing = {"swing"} if self.grid.swing != 0.5 else set()
        return frozenset({part.instrument for part in self.parts} | self.lineup.textures | swing)

    @property
    def onsets(self) -> Floats:
        """(n,) onsets in seconds."""
        return onset_times(self.parts)

    def annotations(self) -> Annotations:
        """The ground truth, in seconds from the start of the audio."""
        return Annotations(
            key=self.key.label,
            chords=self.progression.segments(self.grid),
            beats=self.grid.beats,
            tempo=self.grid.tempo,
            tags={tag: 1.0 for tag in TAGS if tag in self.tags},
            onsets=self.onsets,
        )


def compose(split: Split, index: int) -> Piece:
    """The piece with this index in this split."""
    key, metre = (
        _draw_from_block(KEYS, split, index, "keys"),
        _draw_from_block(_METRES, split, index, "metres"),
    )
    grid = make_grid(stream(split, index, "time"), metre)
    lineup = draw_lineup(stream(split, index, "band"), split, grid)
    progression = make_progression(
        stream(split, index, "harmony"), split, key, grid, roles=lineup.roles
    )
    parts = play(stream(split, index, "play"), lineup, key, grid, progression.spans)
    mix = draw_mix(stream(split, index, "mix"))
    return Piece(f"{split}-{index:04d}", key, grid, progression, parts, lineup, mix)


def _draw_from_block(options: Sequence[T], split: Split, index: int, aspect: str) -> T:
    """One of `options`; each option occurs once in every block of pieces."""
    block, place = divmod(index, BLOCK)
    return options[int(stream(split, block, aspect).permutation(BLOCK)[place])]
