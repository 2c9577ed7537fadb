"""The twelve pitch classes, spelled with sharps, as in the key and chord classes."""

from __future__ import annotations

PITCHES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
