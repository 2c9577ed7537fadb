"""Arrangement of a tune for a band: parts, rests and mix, with a given timing.

Accompaniment patterns are those of the train split of `studio` (`music.comping`, `music.bass`,
`music.drums`); patterns of its validation and test splits are never used. Pieces for several voices
are played as written, each voice by an instrument of the band's choir.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from mirprobe_tasks.datasets.studio.band import Lineup, draw_gain, play, released
from mirprobe_tasks.music import bass, comping, drums
from mirprobe_tasks.music.chords import Span
from mirprobe_tasks.music.metre import SIX, Grid, Metre
from mirprobe_tasks.music.midi import TICK
from mirprobe_tasks.music.mix import Mix
from mirprobe_tasks.music.notes import Note, Part
from mirprobe_tasks.music.patterns import draw_pattern
from mirprobe_tasks.music.pitch import KEYS, Key
from mirprobe_tasks.music.random_choice import chance, pick
from mirprobe_tasks.pretraining_corpus.bands import Band
from mirprobe_tasks.pretraining_corpus.harmonise import harmonise
from mirprobe_tasks.pretraining_corpus.leadsheet import LeadSheet, MelodyNote
from mirprobe_tasks.pretraining_corpus.timing import Timing

TAKES = 4
"""Takes of a tune by one band: two keys (0, 2 and 1, 3) times two sets of chords (0, 1 and 2, 3).

Tempo, players, patterns, rests and recording are the same. Takes 0 and 1 differ in key only, takes
0 and 2 in harmony only, except for the velocities and the spread of the chords, which depend on
them.
"""


class Harmony(NamedTuple):
    """The key, and the chords of one pass."""

    key: Key
    spans: tuple[Span, ...]


@dataclass(frozen=True, eq=False)
class Arrangement:
    """A performance."""

    parts: tuple[Part, ...]
    mix: Mix
    duration: float


def take_count(sheet: LeadSheet) -> int:
    """Number of different takes; pieces for several voices have no other chords."""
    return TAKES if len(sheet.voices) == 1 else 2


def arrange(
    rng: np.random.Generator, sheet: LeadSheet, band: Band, timing: Timing, *, take: int = 0
) -> Arrangement:
    """Arrange a tune for a band.

    Args:
        rng: of all random choices except those of `timing`; the same for all takes.
        sheet: the tune.
        band: players and recording.
        timing: of this tune, band and take.
        take: number of the take.
    """
    mix = _mix(rng, band)
    if len(sheet.voices) > 1:
        parts = _choir(rng, sheet, band, timing)
    else:
        melody = _melody(rng, sheet, band, timing)
        once = _harmonised(rng.spawn(1)[0], sheet, timing, other=take >= 2)
        parts = (*_accompany(rng, sheet, band, timing, once), *melody)
    return Arrangement(
        parts=tuple(part for part in parts if part.notes), mix=mix, duration=timing.grid.duration
    )


def _harmonised(
    rng: np.random.Generator, sheet: LeadSheet, timing: Timing, *, other: bool
) -> Harmony:
    """The key, and the best chords of one pass, or others."""
    tonic = (sheet.key.tonic.pitch_class + timing.transposition) % 12
    key = next(k for k in KEYS if k.tonic.pitch_class == tonic and k.mode == sheet.key.mode)
    moved = replace(sheet, key=key, voices=(_moved(sheet.voices[0], timing.transposition),))
    spans = harmonise(rng, moved)
    return Harmony(key, harmonise(rng, moved, other_than=spans) if other else spans)


def _accompany(
    rng: np.random.Generator, sheet: LeadSheet, band: Band, timing: Timing, harmony: Harmony
) -> tuple[Part, ...]:
    """Chords, bass, pad and drums; in a pass, some may rest, but never all."""
    grid = timing.grid
    grain = 2 if grid.swing != 0.5 else grid.grain
    lineup = _lineup(rng, band, sheet.metre, grain)
    spans = [Span(0, sheet.pickup, None)] if sheet.pickup else []
    spans += [
        Span(span.start + shift, min(span.end + shift, grid.total), span.chord)
        for shift in range(0, timing.passes * sheet.beats, sheet.beats)
        for span in harmony.spans
        if span.start + shift < grid.total
    ]
    gains = [draw_gain(rng, player.role) for player in band.players]
    # one generator per player: other chords for one player do not change the others
    parts = [
        replace(part, gain=gain)
        for player, gain, own in zip(band.players, gains, rng.spawn(len(band.players)), strict=True)
        for part in play(own, replace(lineup, players=(player,)), harmony.key, grid, spans)
    ]
    silent = _rests(rng, timing.passes, [part.role for part in parts])
    edges = _edges(sheet, timing)
    return tuple(
        replace(part, notes=_without(part.notes, [edges[place] for place in silent[part.role]]))
        for part in parts
    )


def _lineup(rng: np.random.Generator, band: Band, metre: Metre, grain: int) -> Lineup:
    style = band.style if chance(rng, 0.7) else pick(rng, comping.STYLES)
    unfit = band.bass_style == "walking" and metre == SIX
    bass_style = "plain" if unfit else band.bass_style
    drummer = any(player.role == "drums" for player in band.players)
    return Lineup(
        players=band.players,
        comp=draw_pattern(lambda r: comping.comp_pattern(r, metre, style, grain), rng, "train"),
        bass=draw_pattern(lambda r: bass.bass_pattern(r, metre, bass_style, grain), rng, "train"),
        drums=draw_pattern(lambda r: drums.drum_pattern(r, metre, grain), rng, "train")
        if drummer
        else None,
        style=style,
        staccato=style in ("block", "offbeat") and chance(rng, 0.3),
    )


def _melody(
    rng: np.random.Generator, sheet: LeadSheet, band: Band, timing: Timing
) -> tuple[Part, ...]:
    """The two leads alternate by pass, may rest in a later one, or play the last together."""
    turns: list[list[int]] = [[], []]
    for place in range(timing.passes):
        last = place == timing.passes - 1
        if place and not last and chance(rng, 0.2):
            continue  # a pass without melody
        lead = int(chance(rng, 0.4)) if place else 0
        turns[lead].append(place)
        if last and place and chance(rng, 0.3):
            turns[1 - lead].append(place)
    parts = []
    for player, passes in zip(band.leads, turns, strict=True):
        line = _repeat_passes(_centred(sheet, timing, player.centre), sheet, passes)
        notes = _performed(rng, timing.grid, line)
        gain = float(np.clip(rng.normal(1.0, 2.0), -3.0, 5.0))
        parts.append(Part("melody", player.instrument, player.program, notes, gain))
    return tuple(parts)


def _choir(
    rng: np.random.Generator, sheet: LeadSheet, band: Band, timing: Timing
) -> tuple[Part, ...]:
    """Every voice as written; one instrument plays the upper half, the other the lower half."""
    parts = []
    for place, line in enumerate(sheet.voices):
        program = band.choir[int(place >= len(sheet.voices) / 2)]
        moved = _repeat_passes(_moved(line, timing.transposition), sheet, range(timing.passes))
        notes = _performed(rng, timing.grid, moved)
        gain = float(np.clip(rng.normal(0.0, 1.5), -3.0, 3.0))
        parts.append(Part("melody", "choir", program, notes, gain))
    return tuple(parts)


def _moved(notes: Iterable[MelodyNote], semitones: int) -> tuple[MelodyNote, ...]:
    return tuple(
        replace(note, pitch=int(np.clip(note.pitch + semitones, 21, 108))) for note in notes
    )


def _centred(sheet: LeadSheet, timing: Timing, centre: int) -> tuple[MelodyNote, ...]:
    """The melody in its new key, in the octave with its mean nearest to `centre`."""
    moved = _moved(sheet.voices[0], timing.transposition)
    mean = float(np.mean([note.pitch for note in moved]))
    return _moved(moved, 12 * round((centre - mean) / 12))


def _repeat_passes(
    notes: Sequence[MelodyNote], sheet: LeadSheet, passes: Iterable[int]
) -> list[MelodyNote]:
    """The notes of some passes in order; the pickup of a pass cuts the end of the previous one."""
    every = sorted(
        (
            replace(note, start=note.start + place * sheet.beats)
            for place in passes
            for note in notes
        ),
        key=lambda note: note.start,
    )
    following = [note.start for note in every[1:]] + [np.inf] * bool(every)
    return [
        replace(note, length=min(note.length, after - note.start))
        for note, after in zip(every, following, strict=True)
        if after > note.start
    ]


def _performed(
    rng: np.random.Generator, grid: Grid, notes: Iterable[MelodyNote]
) -> tuple[Note, ...]:
    """Convert beats to seconds on MIDI ticks, with random timing, velocity and articulation."""
    lean, scatter = float(rng.normal(0.0, 0.005)), float(rng.uniform(0.002, 0.010))
    legato, velocity = float(rng.uniform(0.7, 1.0)), int(rng.integers(76, 104))
    played = []
    for note in notes:
        if note.start >= grid.total:
            break
        delay = float(np.clip(rng.normal(lean, scatter), -0.03, 0.03))
        start = max(0.0, grid.seconds(note.start) + delay)
        end = grid.seconds(min(note.start + note.length * legato, grid.total - 1e-9))
        accent = 6 if (note.start - grid.pickup) % grid.metre.beats < 1e-6 else 0
        touch = velocity + accent + int(rng.integers(-8, 9))
        ticks = round(start / TICK), round(max(end, start + 0.04) / TICK)
        played.append(Note(ticks[0] * TICK, ticks[1] * TICK, note.pitch, min(127, touch)))
    return released(sorted(played, key=lambda note: (note.start, note.pitch)))


def _rests(rng: np.random.Generator, passes: int, roles: Sequence[str]) -> dict[str, set[int]]:
    """Role -> passes in which it rests; at most one role rests in a pass."""
    rests: dict[str, set[int]] = {role: set() for role in roles}
    for place in range(passes):
        if roles and passes > 1 and chance(rng, 0.35):
            rests[pick(rng, roles)].add(place)
    return rests


def _edges(sheet: LeadSheet, timing: Timing) -> list[tuple[float, float]]:
    """Start and end of each pass in seconds; the first includes its pickup."""
    grid = timing.grid
    starts = [min(sheet.pickup + sheet.beats * k, grid.total) for k in range(timing.passes + 1)]
    times = [0.0, *(float(grid.boundaries[start]) for start in starts[1:-1]), grid.duration]
    return list(pairwise(times))


def _without(notes: Iterable[Note], windows: Sequence[tuple[float, float]]) -> tuple[Note, ...]:
    # a note may be up to 30 ms before the first beat of the pass
    return tuple(
        note
        for note in notes
        if not any(low - 0.03 <= note.start < high - 0.03 for low, high in windows)
    )


def _mix(rng: np.random.Generator, band: Band) -> Mix:
    """The recording of the band; only level and noise differ between tunes."""
    return Mix(
        peak=-float(rng.uniform(1.0, 12.0)),
        wet=band.wet,
        decay=band.decay,
        noise=band.noise,
        colour=band.colour,
        cutoff=band.high_cut,
        tuning=band.tuning,
        seed=int(rng.integers(2**31)),
    )
