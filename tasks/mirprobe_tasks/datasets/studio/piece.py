"""A piece of `studio`, and its annotations."""

from __future__ import annotations

from dataclasses import dataclass

from mirprobe.core.schema import Annotations, Floats
from mirprobe_tasks.datasets.studio import instruments
from mirprobe_tasks.datasets.studio.band import Lineup
from mirprobe_tasks.datasets.studio.progression import Progression
from mirprobe_tasks.music.metre import FOUR, SIX, THREE, Grid, Metre
from mirprobe_tasks.music.mix import Mix
from mirprobe_tasks.music.notes import Part, onset_times
from mirprobe_tasks.music.pitch import KEYS, Key

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

METRES: tuple[Metre, ...] = (FOUR,) * 12 + (THREE,) * 6 + (SIX,) * 6
"""The metres of a block."""


@dataclass(frozen=True, eq=False)
class Piece:
    """A composed and performed piece, ready to be rendered.

    Attributes:
        id: such as `"2.0-train-0017"`.
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
        """The ground truth, in seconds from the start of the audio.

        Local keys and sections are given for excerpts only (`Progression.sections`).
        """
        return Annotations(
            key=self.key.label,
            keys=self.progression.keys(self.key, self.grid),
            chords=self.progression.segments(self.grid),
            beats=self.grid.beats,
            tempo=self.grid.tempo,
            tags={tag: 1.0 for tag in TAGS if tag in self.tags},
            onsets=self.onsets,
            sections=self.progression.sections(self.grid),
        )
