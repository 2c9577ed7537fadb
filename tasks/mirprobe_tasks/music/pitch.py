"""Spelled pitch classes, the 24 keys and their scales."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Mode = Literal["major", "minor"]

_LETTERS = "CDEFGAB"
_NATURALS = (0, 2, 4, 5, 7, 9, 11)
_SCALES: dict[Mode, tuple[int, ...]] = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
}
# The usual spelling of each tonic; the keys with six accidentals are F# major and Eb minor.
_TONICS: dict[Mode, str] = {
    "major": "C Db D Eb E F F# G Ab A Bb B",
    "minor": "C C# D Eb E F F# G G# A Bb B",
}


@dataclass(frozen=True)
class Spelling:
    """A spelled pitch class: a letter (0 is C, 6 is B) and a pitch class (0-11)."""

    letter: int
    pitch_class: int

    @property
    def name(self) -> str:
        """Letter and accidentals, such as `"Eb"` or `"F##"`."""
        accidental = (self.pitch_class - _NATURALS[self.letter] + 6) % 12 - 6
        return _LETTERS[self.letter] + ("#" * accidental if accidental > 0 else "b" * -accidental)

    def above(self, letters: int, semitones: int) -> Spelling:
        """The spelling `letters` diatonic steps and `semitones` semitones higher."""
        return Spelling((self.letter + letters) % 7, (self.pitch_class + semitones) % 12)


def spell(name: str) -> Spelling:
    """The spelling with the given name; inverse of `Spelling.name`."""
    letter = _LETTERS.index(name[0])
    shift = name.count("#") - name.count("b")
    return Spelling(letter, (_NATURALS[letter] + shift) % 12)


@dataclass(frozen=True)
class Key:
    """A tonic and a mode."""

    tonic: Spelling
    mode: Mode

    @property
    def label(self) -> str:
        """Label in the syntax of mir_eval.key, such as `"Eb major"`."""
        return f"{self.tonic.name} {self.mode}"

    @property
    def scale(self) -> frozenset[int]:
        """Pitch classes of the major or the natural minor scale."""
        return frozenset((self.tonic.pitch_class + step) % 12 for step in _SCALES[self.mode])


MODES: tuple[Mode, ...] = ("major", "minor")
KEYS: tuple[Key, ...] = tuple(
    Key(spell(name), mode) for mode in MODES for name in _TONICS[mode].split()
)
