"""Drum grooves: kick, snare and hi-hat or another timekeeper, or hand percussion."""

from __future__ import annotations

import numpy as np

from mirprobe_tasks.music.metre import FOUR, SIX, Grid, Metre
from mirprobe_tasks.music.notes import Event
from mirprobe_tasks.music.patterns import Hit, Pattern, cycle_bars, rhythm
from mirprobe_tasks.music.random_choice import chance, pick

_KICKS, _SNARES, _TICKS = (35, 36), (38, 40, 37), (42, 42, 51, 70, 54, 82)
_HANDS = ((60, 61), (62, 64), (63, 64), (76, 77), (65, 66))
_OPEN_HAT, _CRASH, _TOMS = 46, 49, (50, 48, 45, 43)


def drum_pattern(rng: np.random.Generator, metre: Metre, grain: int) -> Pattern:
    """Draw a groove of a drum kit or of hand percussion."""
    period = cycle_bars(rng, metre) * metre.bar_steps
    hits = (
        _hands(rng, metre, period, grain) if chance(rng, 0.25) else _kit(rng, metre, period, grain)
    )
    hits.sort(key=lambda hit: (hit.step, hit.voice))
    return Pattern("drums", metre, period, tuple(hits))


def _kit(rng: np.random.Generator, metre: Metre, period: int, grain: int) -> list[Hit]:
    kick, snare, tick = pick(rng, _KICKS), pick(rng, _SNARES), pick(rng, _TICKS)
    off = float(rng.uniform(0.0, 0.6))
    kicks = set(rhythm(rng, metre, period, int(rng.integers(1, 4)), grain, off))
    # some grooves have no kick on the first beat, so that the kick does not reveal the downbeat
    if chance(rng, 0.75):
        kicks |= set(range(0, period, metre.bar_steps))
    backbeats = _backbeats(rng, metre)
    snares = {bar + step for bar in range(0, period, metre.bar_steps) for step in backbeats}
    snares |= set(rhythm(rng, metre, period, int(rng.integers(0, 3)), grain, 0.7))
    hits = [Hit(step, 1, kick, int(rng.integers(-6, 16))) for step in sorted(kicks)]
    hits += [Hit(step, 1, snare, int(rng.integers(-20, 14))) for step in sorted(snares - kicks)]
    pace = 1 if metre == SIX else int(pick(rng, (grain, 2, 4), (1, 3, 1)))
    shift = 2 if pace == 4 and chance(rng, 0.6) else 0
    for step in range(shift, period, pace):
        if chance(rng, 0.9):
            opens = tick == 42 and chance(rng, 0.08)
            level = int(rng.integers(-30, -4))
            hits.append(Hit(step, 1, _OPEN_HAT if opens else tick, level))
    return hits


def _backbeats(rng: np.random.Generator, metre: Metre) -> tuple[int, ...]:
    """Snare steps in a bar: backbeats, half-time or none."""
    if metre == FOUR:
        return pick(rng, ((4, 12), (8,), (12,), (6, 12), ()), (5, 2, 1, 1, 1))
    if metre == SIX:
        return pick(rng, ((3,), (2, 5), (4,), ()), (4, 1, 1, 1))
    return pick(rng, ((4, 8), (8,), (4,), (6,), ()), (3, 2, 2, 1, 1))


def _hands(rng: np.random.Generator, metre: Metre, period: int, grain: int) -> list[Hit]:
    """Two hand drums that share a rhythm, with or without a shaker."""
    high, low = pick(rng, _HANDS)
    count = int(rng.integers(3, 7)) * period // metre.bar_steps
    steps = rhythm(rng, metre, period, count, grain, float(rng.uniform(0.2, 0.8)))
    hits = [Hit(step, 1, pick(rng, (high, low)), int(rng.integers(-18, 16))) for step in steps]
    if chance(rng, 0.6):
        hits += [
            Hit(step, 1, 70, int(rng.integers(-30, 0)))
            for step in range(0, period, 1 if metre == SIX else 2)
        ]
    return hits


def play_drums(
    rng: np.random.Generator, grid: Grid, pattern: Pattern, velocity: int
) -> list[Event]:
    """Play a groove, with fills every few bars and a crash after some of them."""
    fills = set(range(3, grid.bars - 1, 4)) if chance(rng, 0.7) else set()
    windows = [(grid.bar(bar + 1) - 1, grid.bar(bar + 1)) for bar in sorted(fills)]
    events = [
        Event(at, 0.2, hit.voice, velocity + hit.accent)
        for at, hit in pattern.unroll(grid)
        if not any(start <= at < end for start, end in windows)
    ]
    for start, end in windows:
        if not chance(rng, 0.7):
            continue  # a break: no drums on this beat
        for step in range(0, grid.metre.steps, grid.grain):
            if chance(rng, 0.75):
                at = start + step / grid.metre.steps
                events.append(Event(at, 0.2, pick(rng, (38, *_TOMS)), velocity))
        if chance(rng, 0.5):
            events.append(Event(float(end), 0.5, _CRASH, velocity - 5))
    return events
