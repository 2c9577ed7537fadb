"""Accompaniment patterns: cycles of hits on a grid of steps. A pattern belongs to one split."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from mirprobe.core.schema import Split
from mirprobe_tasks.music.metre import Grid, Metre
from mirprobe_tasks.music.random_choice import chance, pick, split_of_template


@dataclass(frozen=True)
class Hit:
    """One stroke of a pattern.

    Attributes:
        step: position from the start of the cycle, in steps.
        length: in steps.
        voice: all or one voice of a chord, a degree of the bass, or a drum.
        accent: added to the velocity.
    """

    step: int
    length: int
    voice: int
    accent: int = 0


@dataclass(frozen=True)
class Pattern:
    """A repeated cycle of `period` steps that starts on a downbeat."""

    role: str
    metre: Metre
    period: int
    hits: tuple[Hit, ...]

    @property
    def name(self) -> str:
        """Name of the template: rhythm and voices, without accents and note lengths."""
        hits = " ".join(f"{hit.step}.{hit.voice}" for hit in self.hits)
        return f"{self.role} {self.metre.name} {self.period}: {hits}"

    def unroll(self, grid: Grid) -> Iterator[tuple[float, Hit]]:
        """All hits of the piece with their positions in beats, including the pickup."""
        cycle = self.period // grid.metre.steps
        start = grid.pickup - cycle * -(-grid.pickup // cycle)
        for origin in range(start, grid.total, cycle):
            for hit in self.hits:
                position = origin + hit.step / grid.metre.steps
                if 0 <= position < grid.total:
                    yield position, hit


def draw_pattern(
    make: Callable[[np.random.Generator], Pattern], rng: np.random.Generator, split: Split
) -> Pattern:
    """Draw until a pattern belongs to `split`."""
    while True:
        pattern = make(rng)
        if split_of_template(pattern.name) == split:
            return pattern


def rhythm(
    rng: np.random.Generator, metre: Metre, period: int, count: int, grain: int, syncopation: float
) -> list[int]:
    """`count` different steps of a cycle, sorted.

    Args:
        rng: source of the draws.
        metre: time signature.
        period: length of the cycle in steps.
        count: number of steps.
        grain: only multiples of this step are used.
        syncopation: from 0 (prefers beats) to 1 (prefers steps between beats).
    """
    steps = list(range(0, period, grain))
    weights = []
    for step in steps:
        phase = step % metre.steps
        strength = 1.0 if phase == 0 else 0.5 if 2 * phase == metre.steps else 0.25
        weights.append((1 - syncopation) * strength**2 + syncopation * (1.05 - strength))
    chosen: set[int] = set()
    while len(chosen) < min(count, len(steps)):
        chosen.add(pick(rng, steps, weights))
    return sorted(chosen)


def step_intervals(steps: list[int], period: int) -> list[int]:
    """Number of steps from each hit to the next, cyclic."""
    following = [*steps[1:], steps[0] + period] if steps else []
    return [after - step for step, after in zip(steps, following, strict=True)]


def cycle_bars(rng: np.random.Generator, metre: Metre) -> int:
    """Bars in a cycle; always two in 6/8, where one bar has too few steps for distinct patterns."""
    return 2 if metre.bar_steps < 12 or chance(rng, 0.5) else 1
