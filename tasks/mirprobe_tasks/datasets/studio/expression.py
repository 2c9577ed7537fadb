"""Dynamics and articulation of a player, which follow the phrases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from mirprobe_tasks.music.metre import Grid
from mirprobe_tasks.music.notes import Event
from mirprobe_tasks.music.random_choice import pick

_ARTICULATIONS = (1.04, 0.92, 0.7, 0.45)
"""Fraction of the length of a note that sounds: legato (overlapping), tenuto, portato, detached."""

_SHORT = (0.25, 0.4)  # the same range for a staccato piece


def express(
    rng: np.random.Generator, grid: Grid, events: Sequence[Event], role: str, *, staccato: bool
) -> list[Event]:
    """Shape the velocities and the lengths of the notes of one player.

    The velocity is that of the score plus an arch over each phrase of two or four bars, a trend
    over the piece, and an accent on downbeats and a smaller one on other beats. Melodies and basses
    choose an articulation for each phrase; a legato note lasts until the next note starts.

    Args:
        rng: source of the draws.
        grid: beats in seconds.
        events: the notes in the score.
        role: of the player; the lengths of drums and pads stay.
        staccato: whether all notes are short.
    """
    bars = int(rng.integers(1, 3)) * 2
    arch, trend = float(rng.uniform(4.0, 14.0)), float(rng.uniform(-10.0, 10.0))
    accent, short = float(rng.uniform(2.0, 9.0)), float(rng.uniform(*_SHORT))
    phrases = grid.total // (bars * grid.metre.beats) + 2
    touches = [pick(rng, _ARTICULATIONS, (4, 3, 2, 1)) for _ in range(phrases)]
    single = role in ("melody", "bass")
    following = _following(events) if single else {}
    result = []
    for event in events:
        place = (event.start - grid.pickup) / (bars * grid.metre.beats) + 1
        phrase, phase = divmod(place, 1.0)
        beat = (event.start - grid.pickup) % grid.metre.beats
        weight = 1.0 if beat == 0 else 0.5 if beat == int(beat) else 0.0
        level = arch * (np.sin(np.pi * phase) - 0.6) + accent * (weight - 0.4)
        level += trend * (event.start / grid.total - 0.5)
        touch = short if staccato else touches[int(phrase)] if single else 1.0
        length = following.get(event.start, event.length) if touch > 1.0 else event.length
        if role not in ("drums", "pad"):
            length *= touch
        result.append(replace(event, length=length, velocity=event.velocity + round(level)))
    return result


def _following(events: Sequence[Event]) -> dict[float, float]:
    """Start of a note -> beats until the next note starts, at most one and a half lengths."""
    ordered = sorted(events, key=lambda event: event.start)
    return {
        event.start: min(after.start - event.start, 1.5 * event.length)
        for event, after in pairwise(ordered)
        if after.start > event.start
    }
