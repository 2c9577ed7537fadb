"""Metre, tempo curve, swing, and conversion from beats to seconds.

A beat is a quarter note in 3/4 and 4/4, and a dotted quarter note in 6/8 (two beats per bar).
Positions are in beats from the start of the piece, including the pickup.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mirprobe.core.schema import Beats, Floats

TEMPI = (60.0, 180.0)
"""Range of the annotated tempo, in beats per minute."""


@dataclass(frozen=True)
class Metre:
    """A time signature: beats per bar, and steps per beat in patterns."""

    name: str
    beats: int
    steps: int

    @property
    def bar_steps(self) -> int:
        """Steps in a bar."""
        return self.beats * self.steps


FOUR = Metre("4/4", 4, 4)
THREE = Metre("3/4", 3, 4)
SIX = Metre("6/8", 2, 3)


@dataclass(frozen=True, eq=False)
class Grid:
    """The times of the beats of a piece.

    Attributes:
        metre: time signature.
        pickup: beats before the first downbeat.
        bars: whole bars after the pickup.
        boundaries: (n + 1,) times in seconds of the n beats and of the end of the last beat.
        swing: phase of the off-beat within the beat; 0.5 is straight.
        duration: of the audio, in seconds.
    """

    metre: Metre
    pickup: int
    bars: int
    boundaries: Floats
    swing: float
    duration: float

    @property
    def total(self) -> int:
        """Number of beats in the piece."""
        return len(self.boundaries) - 1

    @property
    def beats(self) -> Beats:
        """The annotation: times in seconds, positions from 1 at the downbeat."""
        index = np.arange(self.total)
        return Beats(self.boundaries[:-1], (index - self.pickup) % self.metre.beats + 1)

    @property
    def tempo(self) -> float:
        """Beats per minute: 60 divided by the median interval between beats."""
        return float(60.0 / np.median(np.diff(self.boundaries)))

    @property
    def grain(self) -> int:
        """Shortest playable note at this tempo, in steps."""
        return 1 if 60.0 / self.tempo / self.metre.steps > 0.11 else 2

    @property
    def bar_seconds(self) -> float:
        """Length of a bar in seconds, from the tempo."""
        return 60.0 / self.tempo * self.metre.beats

    def bar(self, index: int) -> int:
        """Position of the start of bar `index`, in beats."""
        return self.pickup + index * self.metre.beats

    def seconds(self, position: float) -> float:
        """Time of a position in beats, with swing."""
        beat = min(max(int(position), 0), self.total - 1)
        phase = position - beat
        if self.swing != 0.5 and 0 < phase < 1:
            late = self.swing / 0.5
            phase = phase * late if phase < 0.5 else 1 - (1 - phase) * (2 - late)
        start, end = float(self.boundaries[beat]), float(self.boundaries[beat + 1])
        return start + phase * (end - start)


def drift(
    rng: np.random.Generator,
    count: int,
    spread: tuple[float, float] = (0.003, 0.011),
    knot_beats: int = 6,
) -> Floats:
    """(count,) slow relative deviation of the length of each beat, at most 2 %.

    Args:
        rng: source of the draws.
        count: number of beats.
        spread: range of the standard deviation.
        knot_beats: beats between two random values; the values between them are interpolated.
    """
    knots = rng.normal(0.0, rng.uniform(*spread), size=count // knot_beats + 3)
    curve = np.interp(np.linspace(0, len(knots) - 1, count), np.arange(len(knots)), knots)
    return np.asarray(np.clip(curve - curve.mean(), -0.02, 0.02))
