"""An analysis laid on a score: by measure numbers and beats, in quarter notes.

A bar that repeats or phrases cut in two stands in the score as two measures of one number; both
keep their places in the whole bar, so that "m4 b4" is found in the second one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mirprobe.core.schema import Floats
from mirprobe_tasks.datasets.scores.works import Note, Span

REST = 1.0
"""Quarter notes of silence in all voices from which on there is no chord."""

BAR_FIT = 0.5
"""A bar less of whose note weight lies in the labelled chords is of unknown harmony."""

_EPSILON = 1e-6
UNKNOWN, NONE = "X", "N"


@dataclass(frozen=True)
class Bar:
    """A measure of the score, or the part of one that stands before or after a repeat sign.

    Attributes:
        number: as printed.
        start: in quarter notes.
        length: in quarter notes.
        padding: how much of the whole bar comes before it: a pickup's is what it lacks.
        beat: quarter notes that a beat lasts: 1.5 in 6/8.
        beats: in a whole bar of the time signature; a bar of twice its length counts as two.
        opens: whether a repeat begins with it.
        closes: whether a repeat ends with it.
    """

    number: int
    start: float
    length: float
    padding: float = 0.0
    beat: float = 1.0
    beats: int = 4
    opens: bool = False
    closes: bool = False

    @property
    def end(self) -> float:
        """In quarter notes."""
        return self.start + self.length


@dataclass(frozen=True)
class Numeral:
    """A chord of the analysis.

    Attributes:
        number: of the measure.
        place: quarter notes after the beginning of the whole bar.
        label: Harte.
        key: local key.
        tones: pitch classes.
    """

    number: int
    place: float
    label: str
    key: str
    tones: frozenset[int]


@dataclass(frozen=True)
class Aligned:
    """An analysis on the score's own timeline, repeats not yet played.

    Attributes:
        fit: share of the note weight that lies in the labelled chords.
        shift: semitones that lift the score to the analysis's key.
        unplaced: numerals that no beat of the score can take.
        chords: labels without gaps.
        keys: local keys without gaps.
    """

    fit: float
    shift: int
    unplaced: int
    chords: tuple[Span, ...]
    keys: tuple[Span, ...]


def place(bars: Sequence[Bar], numeral: Numeral) -> float | None:
    """Where a numeral stands, in quarter notes; None where the score has no such beat."""
    for bar in bars:
        inside = numeral.place - bar.padding
        if bar.number == numeral.number and -_EPSILON <= inside < bar.length - _EPSILON:
            return bar.start + max(0.0, inside)
    return None


def align(bars: Sequence[Bar], numerals: Sequence[Numeral], notes: Sequence[Note]) -> Aligned:
    """Lay the numerals on the score and judge how well they fit.

    A chord lasts until the next; the score is moved to the key in which the labels fit best.

    Raises:
        ValueError: no numeral has a place in the score, or there is no note.
    """
    found = [(place(bars, numeral), numeral) for numeral in numerals]
    placed = sorted(
        ((at, numeral) for at, numeral in found if at is not None), key=lambda pair: pair[0]
    )
    if not placed or not notes:
        raise ValueError("no chord of the analysis has its place in the score")
    end = max(start + length for start, length, _ in notes)
    rests = silences(notes, end)
    cuts = {0.0, end, *(bar.start for bar in bars if bar.start < end)}
    cuts |= {at for at, _ in placed if at < end} | {edge for rest in rests for edge in rest}
    edges = np.array(sorted(cuts))
    starts = edges[:-1]
    holder = np.searchsorted([at for at, _ in placed], starts + _EPSILON, side="right") - 1
    weights = _weights(notes, edges)  # (cells, 12)
    tones = np.array([[pc in numeral.tones for pc in range(12)] for _, numeral in placed])
    wanted = np.where((holder >= 0)[:, None], tones[holder], False)
    fits = [float((np.roll(weights, shift, axis=1) * wanted).sum()) for shift in range(12)]
    shift = int(np.argmax(fits))
    of_bar = np.searchsorted([bar.start for bar in bars], starts + _EPSILON, side="right") - 1
    hit = np.bincount(of_bar, (np.roll(weights, shift, axis=1) * wanted).sum(axis=1), len(bars))
    bad = hit < BAR_FIT * np.bincount(of_bar, weights.sum(axis=1), len(bars))
    labels, keys = [], []
    for cell, start in enumerate(starts):
        numeral = placed[max(holder[cell], 0)][1]
        silent = any(low - _EPSILON < start < high - _EPSILON for low, high in rests)
        known = holder[cell] >= 0 and not bad[of_bar[cell]]
        labels.append(NONE if silent else numeral.label if known else UNKNOWN)
        keys.append(numeral.key)
    return Aligned(
        fit=fits[shift] / float(weights.sum()),
        shift=(shift + 5) % 12 - 5,
        unplaced=len(found) - len(placed),
        chords=joined(zip(starts, edges[1:], labels, strict=True)),
        keys=joined(zip(starts, edges[1:], keys, strict=True)),
    )


def silences(notes: Sequence[Note], end: float) -> list[tuple[float, float]]:
    """Stretches of at least `REST` in which no voice sounds."""
    found, sounding = [], 0.0
    for start, length, _ in sorted(notes):
        if start - sounding >= REST - _EPSILON:
            found.append((sounding, start))
        sounding = max(sounding, start + length)
    return found if end <= sounding else [*found, (sounding, end)]


def _weights(notes: Sequence[Note], edges: Floats) -> NDArray[np.float64]:
    """(cells, 12) quarter notes that each pitch class sounds between two edges."""
    weights = np.zeros((len(edges) - 1, 12))
    for start, length, pitch in notes:
        overlap = np.minimum(edges[1:], start + length) - np.maximum(edges[:-1], start)
        weights[:, pitch % 12] += np.maximum(overlap, 0.0)
    return weights


def joined(spans: Iterable[tuple[float, float, str]]) -> tuple[Span, ...]:
    """Spans in order, neighbours of one label made one."""
    result: list[Span] = []
    for start, end, label in spans:
        if result and result[-1][2] == label and start - result[-1][1] < _EPSILON:
            result[-1] = (result[-1][0], float(end), label)
        else:
            result.append((float(start), float(end), label))
    return tuple(result)
