"""The harmony of a piece: phrases over its bars, with bars without chords, and inversions.

An excerpt starts and ends at any function, and may have phrases in another key.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from mirprobe.core.schema import Segments, Split
from mirprobe_tasks.datasets.studio.harmony import (
    ANYWHERE,
    FINAL,
    INNER,
    OPEN,
    STARTS,
    Phrase,
    make_phrase,
    realise,
)
from mirprobe_tasks.music.chords import INVERTIBLE, Chord, Span, chord_segments
from mirprobe_tasks.music.metre import FOUR, SIX, Grid
from mirprobe_tasks.music.pitch import KEYS, Key, Mode
from mirprobe_tasks.music.random_choice import chance, pick

# Keys of a modulation: semitones from the tonic, mode, weight.
_NEAR: dict[Mode, tuple[tuple[int, Mode, float], ...]] = {
    "major": ((7, "major", 3), (9, "minor", 3), (5, "major", 2), (2, "minor", 1), (4, "minor", 1)),
    "minor": ((3, "major", 4), (7, "minor", 2), (5, "minor", 2), (8, "major", 1), (10, "major", 1)),
}


@dataclass(frozen=True)
class Progression:
    """The harmony of a piece.

    Attributes:
        spans: in order, without gaps.
        phrases: in order; a phrase may be repeated.
        starts: first beat of each phrase of an excerpt; empty for a whole piece.
    """

    spans: tuple[Span, ...]
    phrases: tuple[Phrase, ...]
    starts: tuple[int, ...]

    def segments(self, grid: Grid) -> Segments:
        """The annotation: Harte labels, also N before the first and after the last note."""
        spans = [*self.spans, Span(grid.total, grid.total, None)]
        changes = [(grid.boundaries[s.start], s.chord.label if s.chord else "N") for s in spans]
        return chord_segments(changes, grid.duration)

    def sections(self, grid: Grid) -> Segments | None:
        """The phrases as sections, A, B and so on by template; None for a whole piece."""
        if not self.starts:
            return None
        distinct = list(dict.fromkeys(self.phrases))
        edges = grid.boundaries[[*self.starts, grid.total]]
        labels = tuple(chr(ord("A") + distinct.index(phrase)) for phrase in self.phrases)
        return Segments(np.column_stack([edges[:-1], edges[1:]]), labels)

    def keys(self, key: Key, grid: Grid) -> Segments | None:
        """Local keys from the first to the last beat; None for a whole piece.

        Args:
            key: of the piece.
            grid: beats in seconds.
        """
        if not self.starts:
            return None
        changes = [(span.start, (span.key or key).label) for span in self.spans]
        runs = [c for n, c in enumerate(changes) if n == 0 or c[1] != changes[n - 1][1]]
        edges = grid.boundaries[[*(beat for beat, _ in runs), grid.total]]
        return Segments(np.column_stack([edges[:-1], edges[1:]]), tuple(label for _, label in runs))


def make_progression(
    rng: np.random.Generator,
    split: Split,
    key: Key,
    grid: Grid,
    *,
    roles: frozenset[str],
    excerpt: bool,
) -> Progression:
    """Draw the harmony of a piece.

    Args:
        rng: source of the draws.
        split: the split whose phrases may be used.
        key: the key.
        grid: bars and tempo.
        roles: of the band; with drums there may be bars without chords, with a melody an upbeat
            without chords.
        excerpt: whether the piece starts and ends at any function and may modulate.
    """
    empty = _empty_bars(rng, grid) if "drums" in roles else frozenset()
    bare_upbeat = "melody" in roles and 0 not in empty and chance(rng, 0.5)
    bars = [index for index in range(grid.bars) if index not in empty]
    applied = float(rng.uniform(0.0, 0.75 if excerpt else 0.5))
    richness = float(pick(rng, (0.0, 0.35, 0.8)))
    phrases: list[Phrase] = []
    numerals: list[tuple[Key, str, int]] = []
    plan = _modulate(rng, grid, len(bars), key) if excerpt else _phrases(len(bars), key)
    first, last = (ANYWHERE, OPEN) if excerpt else (STARTS, FINAL)
    for place, (count, local) in enumerate(plan):
        final = place == len(plan) - 1
        again = bool(phrases) and plan[0] == (count, local) and not final
        if again and chance(rng, 0.35):
            phrase = phrases[0]
        else:
            phrase = make_phrase(
                rng,
                split,
                local.mode,
                partial(_rhythm, rng, grid, count),
                starts=STARTS if place else first,
                cadences=last if final else INNER,
                applied=applied,
            )
        phrases.append(phrase)
        numerals += ((local, n, k) for n, k in zip(phrase.numerals, phrase.lengths, strict=True))

    chords = [(realise(rng, local, n, richness), local, beats) for local, n, beats in numerals]
    upbeat: Chord | None = None
    if not bare_upbeat:
        # an accompanied upbeat of a whole piece is on the dominant
        upbeat = chords[0][0] if excerpt else realise(rng, key, "V", 0.0)
    spans = _lay_out(chords, bars, grid, key, upbeat)
    downbeats = np.cumsum([0, *(count for count, _ in plan)])[:-1]
    starts = (0, *(grid.bar(bars[bar]) for bar in downbeats[1:])) if excerpt else ()
    return Progression(_lead_bass(rng, spans), tuple(phrases), starts)


def _phrases(bars: int, key: Key) -> list[tuple[int, Key]]:
    """Bars and key of each phrase: phrases of about four bars."""
    return [(len(group), key) for group in np.array_split(range(bars), max(1, round(bars / 4)))]


def _modulate(rng: np.random.Generator, grid: Grid, bars: int, key: Key) -> list[tuple[int, Key]]:
    """As `_phrases`; many pieces start or end in near keys, for at least three seconds each.

    The key of the piece lasts for more than half of the bars.
    """
    # bars without chords may count for the near keys
    away = min(round(bars * rng.uniform(0.3, 0.5)), (2 * bars - grid.bars - 1) // 2)
    least = math.ceil(3.0 / grid.bar_seconds)
    before, after = 0, 0
    if away >= 2 * least and chance(rng, 0.4):
        before, after = away - away // 2, away // 2
    elif away >= least and chance(rng, 0.75):
        before, after = (away, 0) if chance(rng, 0.4) else (0, away)
    start = [(before, _near(rng, key))] if before else []
    end = [(after, _near(rng, key))] if after else []
    return [*start, *_phrases(bars - before - after, key), *end]


def _near(rng: np.random.Generator, key: Key) -> Key:
    """A key that pieces in `key` modulate to."""
    options = _NEAR[key.mode]
    semitones, mode, _ = pick(rng, options, [weight for *_, weight in options])
    tonic = (key.tonic.pitch_class + semitones) % 12
    return next(k for k in KEYS if k.tonic.pitch_class == tonic and k.mode == mode)


def _empty_bars(rng: np.random.Generator, grid: Grid) -> frozenset[int]:
    """Bars without chords: an intro or a break."""
    if grid.bars < 5 or grid.bar_seconds > 3.0:
        return frozenset()
    length = 2 if grid.bar_seconds < 1.6 else 1
    if chance(rng, 0.3):
        return frozenset(range(length))
    if chance(rng, 0.3):
        return frozenset([int(rng.integers(3, grid.bars - 1))])
    return frozenset()


def _rhythm(rng: np.random.Generator, grid: Grid, bars: int) -> list[int]:
    """Lengths of chords in beats that fill `bars` bars: half a bar to two bars, by tempo."""
    beats = grid.metre.beats
    split_weight = float(np.clip((grid.bar_seconds - 1.3) / 2.5, 0.04, 0.6))
    merge_weight = float(np.clip((2.4 - grid.bar_seconds) / 2.0, 0.04, 0.6))
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
    chords: Sequence[tuple[Chord, Key, int]],
    bars: Sequence[int],
    grid: Grid,
    key: Key,
    upbeat: Chord | None,
) -> list[Span]:
    """Assign chords to beats; a chord that meets an empty bar continues after it.

    Beats without a chord have the local key of the chord before, or of the first chord.
    """
    sounding = [grid.bar(bar) + beat for bar in bars for beat in range(grid.metre.beats)]
    owned = [(chord, local) for chord, local, length in chords for _ in range(length)]
    owner = dict(zip(sounding, owned, strict=True))
    owner.update((beat, (upbeat, owned[0][1])) for beat in range(grid.pickup) if upbeat)
    spans: list[Span] = []
    local = owned[0][1]
    for beat in range(grid.total):
        chord, local = owner.get(beat, (None, local))
        foreign = local if local != key else None
        if spans and (chord, foreign) == (spans[-1].chord, spans[-1].key):
            spans[-1] = replace(spans[-1], end=beat + 1)
        else:
            spans.append(Span(beat, beat + 1, chord, foreign))
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
