"""The bass line: the bass note of each chord, then a pattern over the chord."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mirprobe_tasks.music.chords import Chord, Span
from mirprobe_tasks.music.metre import Grid, Metre
from mirprobe_tasks.music.notes import Event
from mirprobe_tasks.music.patterns import Hit, Pattern, cycle_bars, rhythm, step_intervals
from mirprobe_tasks.music.random_choice import chance, pick

STYLES = ("plain", "syncopated", "walking")

LOW, HIGH = 30, 52
"""Range of the bass, in MIDI numbers."""

# Voices of a hit: the bass note, a chord tone above it, the octave.
_BASS, _OTHER, _OCTAVE = 0, 1, 4


def bass_pattern(rng: np.random.Generator, metre: Metre, style: str, grain: int) -> Pattern:
    """Draw a pattern of one of `STYLES`."""
    bars = cycle_bars(rng, metre)
    period = bars * metre.bar_steps
    if style == "walking":
        # the steps of walking basses differ little: two bars give enough distinct patterns
        period = 2 * metre.bar_steps
        steps = list(range(0, period, metre.steps))
        skips = [s + metre.steps // 2 for s in steps if metre.steps == 4 and chance(rng, 0.1)]
        steps = sorted(steps + skips)
    else:
        count = int(rng.integers(1, 4)) * bars
        off = rng.uniform(0.5, 0.8) if style == "syncopated" else rng.uniform(0.0, 0.2)
        count += bars if style == "syncopated" else 0
        steps = sorted({0, *rhythm(rng, metre, period, count, grain, float(off))})
    hits = [
        Hit(step, length, _degree(rng, style, step), int(rng.integers(-8, 9)))
        for step, length in zip(steps, step_intervals(steps, period), strict=True)
    ]
    return Pattern("walk" if style == "walking" else "bass", metre, period, tuple(hits))


def _degree(rng: np.random.Generator, style: str, step: int) -> int:
    if style == "walking":
        return int(rng.integers(0, 4))
    if step == 0:
        return _BASS
    return pick(rng, (_BASS, _OTHER, _OTHER + 1, _OCTAVE), (5, 1, 2, 1.5))


def play_bass(
    rng: np.random.Generator,
    grid: Grid,
    spans: Sequence[Span],
    pattern: Pattern,
    velocity: int,
    articulation: float,
) -> list[Event]:
    """Play a pattern. The note at the start of each chord is the bass note of its label.

    The last note of a walking bass before a chord change leads to the next chord. It is marked as
    an ornament if it is not a chord tone.
    """
    strokes = list(pattern.unroll(grid))
    events: list[Event] = []
    previous = int(rng.integers(36, 46))
    for place, span in enumerate(spans):
        if span.chord is None:
            continue
        inside = [(at, hit) for at, hit in strokes if span.start <= at < span.end]
        if not inside or inside[0][0] > span.start:
            first = inside[0][0] if inside else float(span.end)
            length = round((first - span.start) * grid.metre.steps)
            inside.insert(0, (float(span.start), Hit(0, length, _BASS)))
        following = spans[place + 1].chord if place + 1 < len(spans) else None
        for order, (at, hit) in enumerate(inside):
            foreign = False
            if order == 0:
                pitch = _nearest(span.chord.bass, previous)
            elif pattern.role == "walk" and order == len(inside) - 1 and following:
                target = _nearest(following.bass, previous)
                pitch = target + pick(rng, (-1, 1, 2, -2), (3, 2, 1, 1))
                foreign = pitch % 12 not in span.chord.pitch_classes
            else:
                pitch = _degree_pitch(span.chord, hit.voice, previous)
            sounding = min(hit.length / grid.metre.steps, span.end - at) * articulation
            events.append(Event(at, sounding, pitch, velocity + hit.accent, foreign))
            previous = pitch
    return events


def _nearest(pitch_class: int, previous: int) -> int:
    """The pitch of a pitch class nearest to `previous` within the range of the bass."""
    options = [pitch for pitch in range(LOW, HIGH + 1) if pitch % 12 == pitch_class]
    return min(options, key=lambda pitch: (abs(pitch - previous), pitch))


def _degree_pitch(chord: Chord, degree: int, previous: int) -> int:
    if degree == _OCTAVE:
        low = _nearest(chord.bass, previous)
        return low + 12 if low + 12 <= HIGH + 4 else low - 12 if low - 12 >= LOW else low
    tones = chord.pitch_classes
    return _nearest(tones[(chord.inversion + degree) % len(tones)], previous)
