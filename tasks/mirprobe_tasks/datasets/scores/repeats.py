"""Expansion of repeats: bars, notes, labels and beats in the order of performance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from mirprobe_tasks.datasets.scores.align import Bar, merge_spans
from mirprobe_tasks.datasets.scores.works import LabelSpan, ScoreBeat, ScoreNote

_EPSILON = 1e-6


@dataclass(frozen=True)
class Stretch:
    """Consecutive bars of the score, and their shift in quarter notes in the performance."""

    start: float
    end: float
    moved: float


def order(bars: Sequence[Bar]) -> list[int]:
    """Indices of the bars in the order of performance; a repeated section is played twice.

    It starts at the sign that opens the repeat, or after the previous repeat.
    """
    played: list[int] = []
    opened = 0
    for index, bar in enumerate(bars):
        if bar.opens:
            opened = index
        played.append(index)
        if bar.closes:
            played.extend(range(opened, index + 1))
            opened = index + 1
    return played


def stretches(bars: Sequence[Bar]) -> list[Stretch]:
    """The order of performance, with consecutive bars joined."""
    way = order(bars)
    firsts = [0, *(at for at, (a, b) in enumerate(pairwise(way), 1) if b != a + 1)]
    result, now = [], 0.0
    for first, after in pairwise([*firsts, len(way)]):
        start, end = bars[way[first]].start, bars[way[after - 1]].end
        result.append(Stretch(start, end, now - start))
        now += end - start
    return result


def play_notes(notes: Sequence[ScoreNote], way: Sequence[Stretch]) -> tuple[ScoreNote, ...]:
    """Notes in the order of performance, cut at the ends of stretches."""
    return tuple(
        (start + part.moved, min(length, part.end - start), pitch)
        for part in way
        for start, length, pitch in notes
        if part.start - _EPSILON <= start < part.end - _EPSILON
    )


def play_spans(spans: Sequence[LabelSpan], way: Sequence[Stretch]) -> tuple[LabelSpan, ...]:
    """Labels in the order of performance."""
    return merge_spans(
        (max(start, part.start) + part.moved, min(end, part.end) + part.moved, label)
        for part in way
        for start, end, label in spans
        if min(end, part.end) - max(start, part.start) > _EPSILON
    )


def play_beats(bars: Sequence[Bar]) -> tuple[ScoreBeat, ...]:
    """Beats in the order of performance, with their positions in the bar of the time signature."""
    beats: list[ScoreBeat] = []
    now = 0.0
    for bar in (bars[index] for index in order(bars)):
        first = -int(-(bar.padding - _EPSILON) // bar.beat)
        count = first
        while count * bar.beat < bar.padding + bar.length - _EPSILON:
            beats.append((now + count * bar.beat - bar.padding, count % bar.beats + 1))
            count += 1
        now += bar.length
    return tuple(beats)
