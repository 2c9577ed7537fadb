"""One spelling for keys, whoever wrote them down."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mirprobe.metrics.pitch_classes import PITCHES

UNKNOWN = "X"
"""The key that cannot be told: mir_eval's name for it. It is neither learned from nor scored."""

_NO_KEY = {"x", "n", "-", "unknown", "none", "atonal"}
_MODES = {
    **dict.fromkeys(("", "major", "maj", "ionian"), "major"),
    **dict.fromkeys(("minor", "min", "m", "aeolian"), "minor"),
    **dict.fromkeys(("dorian", "phrygian", "lydian", "mixolydian", "locrian"), "other"),
    **dict.fromkeys(("other", "modal", "majmin"), "other"),
}
_SEMITONES = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
_ACCIDENTALS = {"#": 1, "b": -1, "♯": 1, "♭": -1}
_KEY = re.compile(r"([A-Ga-g])([#b♯♭]*)\s*:?\s*(.*)")


def key_name(label: str) -> str:
    """A key as mir_eval.key reads it, `"C# minor"`; enharmonic spellings become one.

    Ionian is major and aeolian minor: they have the same notes. Every other mode becomes `other`,
    which keeps the tonic but is neither learned from nor scored. A tonic without a mode is major,
    as in Isophonics' key files.

    Args:
        label: tonic and mode such as `"Db:minor"`, `"E"`, `"F# major"`, `"G#m"`,
            `"A mixolydian"`; or `"-"`, `"X"`, `"N"`, `"Unknown"` where there is no one key.

    Raises:
        ValueError: neither.
    """
    text = label.strip()
    if text.lower() in _NO_KEY:
        return UNKNOWN
    match = _KEY.fullmatch(text)
    if match is None:
        raise ValueError(f'no key: "{label}"')
    tonic, accidentals, mode = match.groups()
    name = "major" if mode == "M" else _MODES.get(mode.lower())
    if name is None:
        raise ValueError(f'unknown mode "{mode}" in the key "{label}"')
    shift = sum(_ACCIDENTALS[sign] for sign in accidentals)
    return f"{PITCHES[(_SEMITONES[tonic.lower()] + shift) % 12]} {name}"


def one_key(labels: Sequence[str]) -> str:
    """The key of a track that was given one or several: `"X"` where they differ.

    Raises:
        ValueError: none is given, or one is no key.
    """
    names = {key_name(label) for label in labels}
    if not names:
        raise ValueError("no key is given")
    return names.pop() if len(names) == 1 else UNKNOWN
