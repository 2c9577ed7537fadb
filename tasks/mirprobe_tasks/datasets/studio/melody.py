"""The melody: recurring rhythmic motifs, chord tones and non-chord tones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mirprobe_tasks.music.chords import Chord, Span
from mirprobe_tasks.music.metre import Grid
from mirprobe_tasks.music.notes import Event
from mirprobe_tasks.music.pitch import Key
from mirprobe_tasks.music.random_choice import chance, pick

Rhythm = tuple[tuple[int, int, bool], ...]  # (step, length in steps, sounds)


def play_melody(
    rng: np.random.Generator,
    key: Key,
    grid: Grid,
    spans: Sequence[Span],
    centre: int,
    velocity: int,
    articulation: float,
) -> list[Event]:
    """Compose a melody around the pitch `centre`, in the local key of each span.

    Accented notes are mostly chord tones; some are appoggiaturas that resolve by step. Passing and
    neighbour tones connect them.
    """
    harmony = {beat: span for span in spans for beat in range(span.start, span.end)}
    activity = float(rng.uniform(0.25, 0.8))
    adventure = float(rng.uniform(0.1, 0.35))
    motifs = [_bar_rhythm(rng, grid, activity) for _ in range(2)]
    pitch = centre + int(rng.integers(-4, 5))
    events: list[Event] = []
    resolution: int | None = None  # of an appoggiatura: the next note
    for bar in range(-1 if grid.pickup else 0, grid.bars):
        motif = pick(rng, (*motifs, _bar_rhythm(rng, grid, activity)), (3, 2, 3))
        for step, length, sounds in motif:
            at = grid.bar(bar) + step / grid.metre.steps
            end = min(at + length / grid.metre.steps, grid.total)
            at = max(at, 0.0)
            # an upbeat has no rests, since the first note marks the start of the piece
            if end <= at or not (sounds or bar < 0):
                continue
            span = harmony[int(at)]
            chord = span.chord
            if chord is None and bar >= 0:
                continue  # a bar without chords has no melody
            accented = step % grid.metre.steps == 0
            tones = _scale(span.key or key, chord)
            if resolution is not None:
                pitch, resolution = resolution, None
            elif chord and accented and chance(rng, adventure):
                target = _toward(rng, chord.pitch_classes, pitch, centre)
                pitch, resolution = _step(tones, target, 1 if chance(rng, 0.75) else -1), target
            elif chord and (accented or chance(rng, 0.35)):
                pitch = _toward(rng, chord.pitch_classes, pitch, centre)
            else:
                pitch = _wander(rng, tones, pitch, centre)
            sounding = (end - at) * articulation
            loud = velocity + int(rng.integers(-10, 11)) + (4 if accented else 0)
            events.append(Event(at, sounding, pitch, loud, ornament=True))
    return events


def _bar_rhythm(rng: np.random.Generator, grid: Grid, activity: float) -> Rhythm:
    """Notes and rests that fill a bar; higher `activity` gives shorter notes."""
    metre, grain = grid.metre, grid.grain
    if metre.steps == 3:
        lengths, weights = (1, 2, 3, 6), (3 * activity, 1.5, 2 - activity, 1 - activity)
    elif grid.swing != 0.5:
        lengths, weights = (2, 4, 6, 8), (5 * activity, 1.5, 0.6, 1 - activity)
    else:
        fine = 2 * activity if grain == 1 else 0.0
        lengths, weights = (1, 2, 4, 6), (fine, 3 * activity, 2.0, 1 - activity / 2)
    result = []
    step = 0
    while step < metre.bar_steps:
        length = min(pick(rng, lengths, weights), metre.bar_steps - step)
        result.append((step, length, not chance(rng, 0.12)))
        step += length
    return tuple(result)


def _scale(key: Key, chord: Chord | None) -> frozenset[int]:
    """The scale of the key, with chord tones in place of scale tones a semitone away."""
    if chord is None:
        return key.scale
    tones = frozenset(chord.pitch_classes)
    foreign = tones - key.scale
    bent = {(tone + shift) % 12 for tone in foreign for shift in (-1, 1)} - tones
    return (key.scale - bent) | tones


def _toward(rng: np.random.Generator, pitch_classes: Sequence[int], pitch: int, centre: int) -> int:
    """A chord tone near `pitch`, with a preference for tones near the centre."""
    near = [p for p in range(pitch - 7, pitch + 8) if p % 12 in pitch_classes]
    weights = [1.0 / (1 + abs(p - pitch)) * 0.9 ** abs(p - centre) for p in near]
    return pick(rng, near, weights)


def _step(tones: frozenset[int], pitch: int, direction: int) -> int:
    """The next scale tone above (1) or below (-1)."""
    pitch += direction
    while pitch % 12 not in tones:
        pitch += direction
    return pitch


def _wander(rng: np.random.Generator, tones: frozenset[int], pitch: int, centre: int) -> int:
    """The next pitch: a step along the scale, sometimes a third."""
    up = chance(rng, 0.5 - 0.05 * max(-8, min(8, pitch - centre)))
    for _ in range(1 + chance(rng, 0.2)):
        pitch = _step(tones, pitch, 1 if up else -1)
    return pitch
