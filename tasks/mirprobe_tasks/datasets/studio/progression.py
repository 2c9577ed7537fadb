"""The harmony of a piece: phrases over its bars, with bars without chords, and inversions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from mirprobe.core.schema import Segments, Split
from mirprobe_tasks.datasets.studio.harmony import Phrase, make_phrase, realise
from mirprobe_tasks.music.chords import INVERTIBLE, Chord, Span, chord_segments
from mirprobe_tasks.music.metre import FOUR, SIX, Grid
from mirprobe_tasks.music.pitch import Key
from mirprobe_tasks.music.random_choice import chance, pick


@dataclass(frozen=True)
class Progression:
    """The spans of a piece in order, without gaps, and the phrases behind them."""

    spans: tuple[Span, ...]
    phrases: tuple[Phrase, ...]

    def segments(self, grid: Grid) -> Segments:
        """The annotation: Harte labels, also N before the first and after the last note."""
        spans = [*self.spans, Span(grid.total, grid.total, None)]
        changes = [(grid.boundaries[s.start], s.chord.label if s.chord else "N") for s in spans]
        return chord_segments(changes, grid.duration)


def make_progression(
    rng: np.random.Generator, split: Split, key: Key, grid: Grid, *, roles: frozenset[str]
) -> Progression:
    """Draw the harmony of a piece.

    Args:
        rng: source of the draws.
        split: the split whose phrases may be used.
        key: the key.
        grid: bars and tempo.
        roles: of the band; with drums there may be bars without chords, with a melody an upbeat
            without chords.
    """
    empty = _empty_bars(rng, grid) if "drums" in roles else frozenset()
    bare_upbeat = "melody" in roles and 0 not in empty and chance(rng, 0.5)
    bars = [index for index in range(grid.bars) if index not in empty]
    applied, richness = float(rng.uniform(0.0, 0.5)), float(pick(rng, (0.0, 0.35, 0.8)))
    phrases: list[Phrase] = []
    numerals: list[tuple[str, int]] = []
    groups = np.array_split(bars, max(1, round(len(bars) / 4)))
    for place, group in enumerate(groups):
        final = place == len(groups) - 1
        beats = len(group) * grid.metre.beats
        if phrases and sum(phrases[0].lengths) == beats and not final and chance(rng, 0.35):
            phrase = phrases[0]
        else:
            lengths = partial(_rhythm, rng, grid, len(group))
            phrase = make_phrase(rng, split, key.mode, lengths, final=final, applied=applied)
        phrases.append(phrase)
        numerals += zip(phrase.numerals, phrase.lengths, strict=True)

    spans = _lay_out(numerals, bars, grid, rng, key, richness, bare_upbeat=bare_upbeat)
    return Progression(_lead_bass(rng, spans), tuple(dict.fromkeys(phrases)))


def _empty_bars(rng: np.random.Generator, grid: Grid) -> frozenset[int]:
    """Bars without chords: an intro or a break."""
    bar_seconds = 60.0 / grid.tempo * grid.metre.beats
    if grid.bars < 5 or bar_seconds > 3.0:
        return frozenset()
    length = 2 if bar_seconds < 1.6 else 1
    if chance(rng, 0.3):
        return frozenset(range(length))
    if chance(rng, 0.3):
        return frozenset([int(rng.integers(3, grid.bars - 1))])
    return frozenset()


def _rhythm(rng: np.random.Generator, grid: Grid, bars: int) -> list[int]:
    """Lengths of chords in beats that fill `bars` bars: half a bar to two bars, by tempo."""
    beats = grid.metre.beats
    bar_seconds = 60.0 / grid.tempo * beats
    split_weight = float(np.clip((bar_seconds - 1.3) / 2.5, 0.04, 0.6))
    merge_weight = float(np.clip((2.4 - bar_seconds) / 2.0, 0.04, 0.6))
    halves = {FOUR: ((2, 2), (2, 2), (3, 1)), SIX: ((1, 1),)}.get(grid.metre, ((2, 1),))
    lengths: list[int] = []
    bar = 0
    while bar < bars:
        if bar + 1 < bars and chance(rng, merge_weight):
            lengths.append(2 * beats)
            bar += 2
        else:
            lengths += pick(rng, halves) if chance(rng, split_weight) else (beats,)
            bar += 1
    return lengths


def _lay_out(
    numerals: Sequence[tuple[str, int]],
    bars: Sequence[int],
    grid: Grid,
    rng: np.random.Generator,
    key: Key,
    richness: float,
    *,
    bare_upbeat: bool,
) -> list[Span]:
    """Assign chords to beats; a chord that meets an empty bar continues after it."""
    owner: list[Chord | None] = [None] * grid.total
    sounding = iter([grid.bar(bar) + beat for bar in bars for beat in range(grid.metre.beats)])
    for numeral, length in numerals:
        chord = realise(rng, key, numeral, richness)
        for _ in range(length):
            owner[next(sounding)] = chord
    if not bare_upbeat:
        # an accompanied upbeat is on the dominant
        owner[: grid.pickup] = [realise(rng, key, "V", 0.0)] * grid.pickup
    spans: list[Span] = []
    for beat, owned in enumerate(owner):
        if spans and owned == spans[-1].chord:
            spans[-1] = replace(spans[-1], end=beat + 1)
        else:
            spans.append(Span(beat, beat + 1, owned))
    return spans


def _lead_bass(rng: np.random.Generator, spans: Sequence[Span]) -> tuple[Span, ...]:
    """Choose inversions: few, some, or those with the smallest movement of the bass."""
    style = pick(rng, ("root", "mixed", "smooth"), (3, 3, 2))
    result: list[Span] = []
    previous: int | None = None
    for place, span in enumerate(spans):
        if span.chord is None:
            result.append(span)
            continue
        chord = span.chord
        options = range(len(chord.pitch_classes)) if chord.quality in INVERTIBLE else range(1)
        inversion = 0
        if style == "smooth" and previous is not None:
            moves = [_distance(chord.pitch_classes[option], previous) for option in options]
            inversion = moves.index(min(moves))
        elif chance(rng, 0.3 if style == "mixed" else 0.04):
            inversion = pick(rng, options)
        if place == len(spans) - 1:
            inversion = 0
        chord = replace(chord, inversion=inversion)
        previous = chord.bass
        result.append(replace(span, chord=chord))
    return tuple(result)


def _distance(a: int, b: int) -> int:
    """Semitones between two pitch classes, at most 6."""
    return min((a - b) % 12, (b - a) % 12)
