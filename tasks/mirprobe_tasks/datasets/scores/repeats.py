"""Repeats played: bars in the order in which they are heard, and what lies in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from mirprobe_tasks.datasets.scores.align import Bar, joined
from mirprobe_tasks.datasets.scores.works import Beat, Note, Span

_EPSILON = 1e-6


@dataclass(frozen=True)
class Stretch:
    """Bars of the score that are played on end, and by how many quarter notes they are moved."""

    start: float
    end: float
    moved: float


def order(bars: Sequence[Bar]) -> list[int]:
    """Indices of the bars as they are played: what ends with a repeat sign is heard twice.

    It goes back to the sign that opens the repeat, or to where the last one ended.
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
    """The way through the score, bars that follow each other taken together."""
    way = order(bars)
    firsts = [0, *(at for at, (a, b) in enumerate(pairwise(way), 1) if b != a + 1)]
    result, now = [], 0.0
    for first, after in pairwise([*firsts, len(way)]):
        start, end = bars[way[first]].start, bars[way[after - 1]].end
        result.append(Stretch(start, end, now - start))
        now += end - start
    return result


def play_notes(notes: Iterable[Note], way: Sequence[Stretch]) -> tuple[Note, ...]:
    """Notes in the order played, those that are tied over the end of a stretch cut off there."""
    kept = list(notes)
    return tuple(
        (start + part.moved, min(length, part.end - start), pitch)
        for part in way
        for start, length, pitch in kept
        if part.start - _EPSILON <= start < part.end - _EPSILON
    )


def play_spans(spans: Iterable[Span], way: Sequence[Stretch]) -> tuple[Span, ...]:
    """Labels in the order played."""
    kept = list(spans)
    return joined(
        (max(start, part.start) + part.moved, min(end, part.end) + part.moved, label)
        for part in way
        for start, end, label in kept
        if min(end, part.end) - max(start, part.start) > _EPSILON
    )


def play_beats(bars: Sequence[Bar]) -> tuple[Beat, ...]:
    """Beats in the order played, each with its place in the bar that the time signature means."""
    beats: list[Beat] = []
    now = 0.0
    for bar in (bars[index] for index in order(bars)):
        first = -int(-(bar.padding - _EPSILON) // bar.beat)
        count = first
        while count * bar.beat < bar.padding + bar.length - _EPSILON:
            beats.append((now + count * bar.beat - bar.padding, count % bar.beats + 1))
            count += 1
        now += bar.length
    return tuple(beats)
