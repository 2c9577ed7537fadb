"""The twelve pitch classes, spelled with sharps: how classes of keys and chords are named."""

from __future__ import annotations

PITCHES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
