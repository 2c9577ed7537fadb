"""The chordal accompaniment: chords with voice leading, played in a pattern."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations, pairwise

import numpy as np

from mirprobe_tasks.music.chords import Chord, Span
from mirprobe_tasks.music.metre import Grid, Metre
from mirprobe_tasks.music.notes import Event
from mirprobe_tasks.music.patterns import (
    Hit,
    Pattern,
    cycle_bars,
    rhythm,
    step_intervals,
)
from mirprobe_tasks.music.random_choice import pick

STYLES = ("block", "offbeat", "arpeggio", "held")
"""Block chords on the beat, block chords off the beat, broken chords, sustained chords."""

ALL = -1
"""The voice of a hit that plays the whole chord."""

Voicing = tuple[int, ...]


def comp_pattern(rng: np.random.Generator, metre: Metre, style: str, grain: int) -> Pattern:
    """Draw a pattern of one of `STYLES`."""
    bars = cycle_bars(rng, metre)
    period = bars * metre.bar_steps
    if style == "arpeggio":
        return Pattern("arpeggio", metre, period, _broken(rng, metre, period, grain))
    if style == "held":
        period = 2 * metre.bar_steps
        steps = rhythm(rng, metre, period, int(rng.integers(1, 5)), grain, 0.15)
    else:
        count = int(rng.integers(2, 6)) * bars
        off = rng.uniform(0.55, 0.95) if style == "offbeat" else rng.uniform(0.0, 0.5)
        steps = rhythm(rng, metre, period, count, grain, float(off))
    hits = [
        Hit(step, length, ALL, int(rng.integers(-12, 13)))
        for step, length in zip(steps, step_intervals(steps, period), strict=True)
    ]
    return Pattern("chords", metre, period, tuple(hits))


def _broken(rng: np.random.Generator, metre: Metre, period: int, grain: int) -> tuple[Hit, ...]:
    """An even sequence of single voices in a random order, with a few gaps."""
    pace = grain if metre.steps == 3 else int(pick(rng, (grain, 2), (1, 1)))
    # contains every voice of a seventh chord
    extra = rng.integers(0, 6, size=int(rng.integers(0, 5)))
    contour = [int(voice) for voice in rng.permutation([0, 1, 2, 3, *extra])]
    steps = [s for s in range(0, period, pace) if s % metre.bar_steps == 0 or rng.random() < 0.88]
    return tuple(
        Hit(step, length, contour[place % len(contour)], int(rng.integers(-10, 11)))
        for place, (step, length) in enumerate(
            zip(steps, step_intervals(steps, period), strict=True)
        )
    )


def lead_voices(
    rng: np.random.Generator, spans: Sequence[Span], voices: int, centre: int
) -> list[Voicing]:
    """A voicing for each span, close to the previous one; empty where there is no chord."""
    reach = int(rng.integers(8, 12))
    result: list[Voicing] = []
    previous: Voicing = ()
    for span in spans:
        if span.chord is None:
            result.append(())
            continue
        options = _voicings(span.chord, voices, centre - reach, centre + reach)
        costs = [_cost(option, previous, centre) for option in options]
        noisy = np.array(costs) + rng.uniform(0.0, 2.0, size=len(costs))
        previous = options[int(np.argmin(noisy))]
        result.append(previous)
    return result


@lru_cache(maxsize=4096)
def _voicings(chord: Chord, voices: int, low: int, high: int) -> tuple[Voicing, ...]:
    """Voicings between two pitches that contain all tones of the chord.

    With three voices, the fifth of a seventh chord is omitted.
    """
    tones = chord.pitch_classes
    needed = set(tones) if voices >= len(tones) else set(tones) - {tones[2]}
    pitches = [pitch for pitch in range(low, high + 1) if pitch % 12 in tones]
    # a narrow range may contain only three pitches of a diminished triad
    count = min(max(voices, len(needed)), len(pitches))
    return tuple(
        option
        for option in combinations(pitches, count)
        if needed <= {pitch % 12 for pitch in option} and option[-1] - option[0] <= 19
    )


def _cost(option: Voicing, previous: Voicing, centre: int) -> float:
    """Voice movement, distance from the centre, and a penalty for parallel fifths and octaves."""
    cost = 0.3 * abs(sum(option) / len(option) - centre)
    moves = list(zip(previous, option, strict=False))
    cost += sum(abs(after - before) for before, after in moves)
    for (low, low_after), (high, high_after) in pairwise(moves):
        if (
            (high - low) % 12 in (0, 7)
            and high - low == high_after - low_after
            and high != high_after
        ):
            cost += 3.0
    return cost


def play_chords(
    grid: Grid,
    spans: Sequence[Span],
    voicings: Sequence[Voicing],
    pattern: Pattern,
    velocity: int,
    articulation: float,
) -> list[Event]:
    """Play a pattern; each chord is played at least once near its start.

    Args:
        grid: of the piece.
        spans: the harmony of the piece.
        voicings: one for each span.
        pattern: a hit plays all voices or one.
        velocity: mean velocity.
        articulation: fraction of the length of each note that sounds.
    """
    strokes = list(pattern.unroll(grid))
    events: list[Event] = []
    for span, voicing in zip(spans, voicings, strict=True):
        if not voicing:
            continue
        inside = [(at, hit) for at, hit in strokes if span.start <= at < span.end]
        reach = min(1.0, (span.end - span.start) / 2)
        if not inside or inside[0][0] > span.start + reach:
            first = inside[0][0] if inside else float(span.end)
            length = int((first - span.start) * grid.metre.steps)
            voice = ALL if pattern.role == "chords" else 0
            inside.insert(0, (float(span.start), Hit(0, length, voice)))
        for at, hit in inside:
            sounding = min(hit.length / grid.metre.steps, span.end - at) * articulation
            for pitch in _pitches(voicing, hit.voice):
                events.append(Event(at, sounding, pitch, velocity + hit.accent))
    return events


def _pitches(voicing: Voicing, voice: int) -> Voicing:
    """The pitches of a hit; voices above the highest one continue an octave higher."""
    if voice == ALL:
        return voicing
    octave, index = divmod(voice, len(voicing))
    return (voicing[index] + 12 * octave,)


def hold_chords(spans: Sequence[Span], voicings: Sequence[Voicing], velocity: int) -> list[Event]:
    """A pad: every chord held from start to end, common tones tied."""
    events: list[Event] = []
    held: dict[int, float] = {}
    for span, voicing in zip([*spans, Span(0, 0, None)], [*voicings, ()], strict=True):
        start = float(span.start if span.end else spans[-1].end)
        for pitch in [pitch for pitch in held if pitch not in voicing]:
            began = held.pop(pitch)
            events.append(Event(began, start - began, pitch, velocity))
        for pitch in voicing:
            held.setdefault(pitch, start)
    return events
