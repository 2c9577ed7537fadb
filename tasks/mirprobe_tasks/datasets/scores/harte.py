"""Roman numerals to Harte labels, by their tones and not by their figures.

Source of the syntax: Harte et al., *Symbolic representation of musical chords*, ISMIR 2005.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from mirprobe_tasks.music.chords import QUALITIES
from mirprobe_tasks.music.pitch import Spelling, spell

UNKNOWN = "X"
"""The label of an unknown chord."""

_MAJOR = (0, 2, 4, 5, 7, 9, 11)
_ABOVE_THE_OCTAVE = {2: 9, 4: 11, 6: 13}
_SHORTHANDS = {frozenset(name for name, _ in tones): label for label, tones in QUALITIES.items()}
_TRIADS = ("maj", "min", "dim", "aug")

# the start of a numeral; the parser also reads misprints, as arbitrary chords
_FIGURE = re.compile(
    r"[#b-]*(?:I{1,3}|IV|VI{0,2}|i{1,3}|iv|vi{0,2}|It|Ger|Fr|Sw|N|Cad)(?![A-Zac-np-z])"
)
_AUGMENTED_SIXTH = re.compile(r"It|Ger|Fr|Sw")


def harte_label(numeral: Any) -> str:
    """The Harte label of a `music21.roman.RomanNumeral`.

    Examples: V6/5/V in C is `"D:7/3"`, vii/o7 `"B:hdim7"`, a cadential 6/4 `"C:maj/5"`, V[no3]
    `"G:(1,5)"`, I6[no1] `"C:maj(*1)/3"`, V[add9] `"G:maj(9)"`. Augmented sixths become the
    enharmonic sevenths on the lowered sixth degree: Ger6/5 in c is `"Ab:7"`, It6 `"Ab:(1,3,b7)"`.
    A figure that does not start with a Roman numeral is `UNKNOWN`.
    """
    if not _FIGURE.match(numeral.figure) or not numeral.pitches:
        return UNKNOWN
    tones = [_spelling(pitch) for pitch in numeral.pitches]
    root, bass = _spelling(numeral.root()), _spelling(numeral.bass())
    if _AUGMENTED_SIXTH.match(numeral.figure):
        # the lower tone of the augmented sixth is the root; the upper one becomes a minor seventh
        root = next(low for low in tones if any(_is_augmented_sixth(low, high) for high in tones))
        sixth = next(high for high in tones if _is_augmented_sixth(root, high))
        seventh = root.above(6, 10)
        tones = [seventh if tone == sixth else tone for tone in tones]
        bass = seventh if bass == sixth else bass
    return chord_label(root, bass, tones)


def chord_label(root: Spelling, bass: Spelling, tones: Iterable[Spelling]) -> str:
    """The label of a chord from its spelled tones.

    Shorthands are those of `music.chords.QUALITIES`. Added tones are in brackets after the largest
    complete shorthand, a missing root is `*1`. A chord that lacks another tone is written as a list
    of degrees.
    """
    degrees = {degree(root, tone) for tone in tones}
    missing = "1" not in degrees
    whole = degrees | {"1"}
    name = _SHORTHANDS.get(frozenset(whole), "")
    extra: list[str] = []
    if not name:
        triads = [t for t in _TRIADS if {d for d, _ in QUALITIES[t]} <= whole]
        inside = [key for key in _SHORTHANDS if triads and key <= whole]
        core = max(inside, key=lambda key: (len(key), "b7" in key), default=frozenset[str]())
        name = _SHORTHANDS.get(core, "")
        extra = sorted(degrees - core, key=_rank)
    if missing and name:
        extra.append("*1")
    if not extra:
        quality = name
    else:
        quality = f"{name}({','.join(_compound(d) if name else d for d in extra)})"
    bottom = degree(root, bass)
    return f"{root.name}:{quality}" + (f"/{bottom}" if bottom != "1" else "")


def degree(root: Spelling, tone: Spelling) -> str:
    """The tone as a degree above the root, such as `"b3"`; degrees of major have no accidental."""
    steps = (tone.letter - root.letter) % 7
    shift = (tone.pitch_class - root.pitch_class - _MAJOR[steps] + 6) % 12 - 6
    return ("#" * shift if shift > 0 else "b" * -shift) + str(steps + 1)


def transposed(label: str, letters: int, semitones: int) -> str:
    """The label `letters` diatonic steps and `semitones` higher; N and X are unchanged."""
    root, colon, quality = label.partition(":")
    return spell(root).above(letters, semitones).name + colon + quality if colon else label


def _spelling(pitch: Any) -> Spelling:
    return spell(pitch.name.replace("-", "b"))


def _is_augmented_sixth(low: Spelling, high: Spelling) -> bool:
    return degree(low, high) == "#6"


def _rank(degree: str) -> tuple[int, str]:
    return int(degree.lstrip("#b")), degree


def _compound(degree: str) -> str:
    """An added second, fourth or sixth as a ninth, eleventh or thirteenth."""
    number = degree.lstrip("#b*")
    return degree.replace(number, str(_ABOVE_THE_OCTAVE.get(int(number), number)))
