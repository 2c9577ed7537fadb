"""Chords: a spelled root, a quality, a bass note and their Harte label."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from mirprobe.core.schema import Segments
from mirprobe_tasks.music.pitch import Key, Spelling

# Harte shorthand -> chord tones as (degree, semitones above the root).
QUALITIES: dict[str, tuple[tuple[str, int], ...]] = {
    "maj": (("1", 0), ("3", 4), ("5", 7)),
    "min": (("1", 0), ("b3", 3), ("5", 7)),
    "dim": (("1", 0), ("b3", 3), ("b5", 6)),
    "aug": (("1", 0), ("3", 4), ("#5", 8)),
    "sus4": (("1", 0), ("4", 5), ("5", 7)),
    "sus2": (("1", 0), ("2", 2), ("5", 7)),
    "7": (("1", 0), ("3", 4), ("5", 7), ("b7", 10)),
    "maj7": (("1", 0), ("3", 4), ("5", 7), ("7", 11)),
    "min7": (("1", 0), ("b3", 3), ("5", 7), ("b7", 10)),
    "minmaj7": (("1", 0), ("b3", 3), ("5", 7), ("7", 11)),
    "maj6": (("1", 0), ("3", 4), ("5", 7), ("6", 9)),
    "min6": (("1", 0), ("b3", 3), ("5", 7), ("6", 9)),
    "dim7": (("1", 0), ("b3", 3), ("b5", 6), ("bb7", 9)),
    "hdim7": (("1", 0), ("b3", 3), ("b5", 6), ("b7", 10)),
}

# Qualities that are the same chord in every inversion.
INVERTIBLE = frozenset({"maj", "min", "dim", "7", "maj7", "min7", "hdim7", "dim7"})


@dataclass(frozen=True)
class Chord:
    """A chord as the accompaniment plays it.

    Attributes:
        root: spelled root.
        quality: a key of `QUALITIES`.
        inversion: index of the chord tone in the bass; 0 for root position.
    """

    root: Spelling
    quality: str
    inversion: int = 0

    @property
    def pitch_classes(self) -> tuple[int, ...]:
        """Pitch classes from the root upwards."""
        return tuple((self.root.pitch_class + tone) % 12 for _, tone in QUALITIES[self.quality])

    @property
    def bass(self) -> int:
        """Pitch class of the bass note."""
        return self.pitch_classes[self.inversion]

    @property
    def label(self) -> str:
        """Harte label with inversion, such as `"Eb:min7/b3"`."""
        degree = QUALITIES[self.quality][self.inversion][0]
        return f"{self.root.name}:{self.quality}" + (f"/{degree}" if self.inversion else "")


def chord_segments(changes: Iterable[tuple[float, str]], duration: float) -> Segments:
    """Chord labels over the whole audio: N before the first chord; equal neighbours are joined.

    Args:
        changes: start of each chord in seconds, and its label, in order.
        duration: of the audio, in seconds.
    """
    joined: list[tuple[float, str]] = [(0.0, "N")]
    for start, label in changes:
        if label != joined[-1][1]:
            joined.append((float(start), label))
    starts = [start for start, _ in joined]
    intervals = np.column_stack([starts, [*starts[1:], duration]])
    return Segments(intervals, tuple(label for _, label in joined))


@dataclass(frozen=True)
class Span:
    """The chord from beat `start` to beat `end`; None if no chord is played.

    `key` is the local key; None stands for the key of the piece.
    """

    start: int
    end: int
    chord: Chord | None
    key: Key | None = None
