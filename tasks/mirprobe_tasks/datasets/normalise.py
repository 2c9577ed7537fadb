"""Converts keys and segments of all annotation formats to one form."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np

from mirprobe.core.schema import Floats, Segments
from mirprobe.metrics.pitch_classes import PITCHES

UNKNOWN_KEY = "X"
"""An unknown key in the syntax of mir_eval. It is neither a target nor scored."""

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


def normalise_key(label: str) -> str:
    """A key in the syntax of mir_eval.key, such as `"C# minor"`, with one spelling per pitch class.

    Ionian is major and aeolian minor, since they have the same notes. Every other mode becomes
    `other`, which keeps the tonic but is neither a target nor scored. A capital letter without a
    mode is major, as in the key files of Isophonics. A small letter without a mode is refused: some
    analyses write minor keys so.

    Args:
        label: tonic and mode such as `"Db:minor"`, `"E"`, `"F# major"`, `"G#m"`,
            `"A mixolydian"`; or `"-"`, `"X"`, `"N"`, `"Unknown"` for no single key.

    Raises:
        ValueError: the label is not a key.
    """
    text = label.strip()
    if text.lower() in _NO_KEY:
        return UNKNOWN_KEY
    match = _KEY.fullmatch(text)
    if match is None:
        raise ValueError(f'no key: "{label}"')
    tonic, accidentals, mode = match.groups()
    name = "major" if mode == "M" else _MODES.get(mode.lower())
    if name is None:
        raise ValueError(f'unknown mode "{mode}" in the key "{label}"')
    if not mode and tonic.islower():
        plain = tonic.upper() + accidentals
        raise ValueError(
            f'the key "{label}" has a small letter and no mode; write "{plain} minor" or "{plain} '
            'major"'
        )
    shift = sum(_ACCIDENTALS[sign] for sign in accidentals)
    return f"{PITCHES[(_SEMITONES[tonic.lower()] + shift) % 12]} {name}"


def single_key(labels: Sequence[str]) -> str:
    """The key of a track with one or several key labels; `"X"` if they differ.

    Raises:
        ValueError: there is no label, or a label is not a key.
    """
    keys = {normalise_key(label) for label in labels}
    if not keys:
        raise ValueError("no key is given")
    return keys.pop() if len(keys) == 1 else UNKNOWN_KEY


def drop_empty_segments(intervals: Floats, labels: Iterable[str]) -> Segments:
    """The segments without those of zero duration, which some annotations contain.

    Args:
        intervals: (n, 2) start and end in seconds.
        labels: n labels.
    """
    intervals = np.asarray(intervals, dtype=np.float64).reshape(-1, 2)
    kept = intervals[:, 1] != intervals[:, 0]
    return Segments(
        intervals[kept],
        tuple(str(label) for label, keep in zip(labels, kept, strict=True) if keep),
    )
