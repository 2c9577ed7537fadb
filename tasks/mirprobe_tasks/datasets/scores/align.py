"""Alignment of an analysis with a score, by measure numbers and beats, in quarter notes.

A bar that a repeat sign or a phrase divides is two measures of one number in the score. Both keep
their positions in the whole bar, so that "m4 b4" is in the second one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mirprobe.core.schema import Floats
from mirprobe_tasks.datasets.scores.works import LabelSpan, ScoreNote

REST = 1.0
"""Least quarter notes of silence in all voices for the label N."""

BAR_FIT = 0.5
"""Least share of the note weight of a bar in the labelled chords; below it the label is X."""

_EPSILON = 1e-6
UNKNOWN, NONE = "X", "N"


@dataclass(frozen=True)
class Bar:
    """A measure of the score, or the part of a measure before or after a repeat sign.

    Attributes:
        number: as printed.
        start: in quarter notes.
        length: in quarter notes.
        padding: quarter notes of the whole bar before this part; for a pickup, the missing ones.
        beat: length of a beat in quarter notes: 1.5 in 6/8.
        beats: in a whole bar of the time signature; a bar of twice its length counts as two.
        opens: whether a repeat starts with it.
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
        place: quarter notes after the start of the whole bar.
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
    """An analysis on the timeline of the score, without repeats.

    Attributes:
        fit: share of the note weight in the labelled chords.
        shift: semitones that transpose the score to the key of the analysis.
        unplaced: number of numerals on a beat that the score does not have.
        chords: labels without gaps.
        keys: local keys without gaps.
    """

    fit: float
    shift: int
    unplaced: int
    chords: tuple[LabelSpan, ...]
    keys: tuple[LabelSpan, ...]


def place(bars: Sequence[Bar], numeral: Numeral) -> float | None:
    """Position of a numeral in quarter notes; None if the score has no such beat."""
    for bar in bars:
        inside = numeral.place - bar.padding
        if bar.number == numeral.number and -_EPSILON <= inside < bar.length - _EPSILON:
            return bar.start + max(0.0, inside)
    return None


def align(bars: Sequence[Bar], numerals: Sequence[Numeral], notes: Sequence[ScoreNote]) -> Aligned:
    """Align the numerals with the score and measure their fit.

    A chord lasts until the next one. The score is transposed to the key with the best fit.

    Raises:
        ValueError: no numeral has a position in the score, or there is no note.
    """
    found = [(place(bars, numeral), numeral) for numeral in numerals]
    placed = sorted(
        ((at, numeral) for at, numeral in found if at is not None), key=lambda pair: pair[0]
    )
    if not placed or not notes:
        raise ValueError("no chord of the analysis has a position in the score")
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
        chords=merge_spans(zip(starts, edges[1:], labels, strict=True)),
        keys=merge_spans(zip(starts, edges[1:], keys, strict=True)),
    )


def silences(notes: Sequence[ScoreNote], end: float) -> list[tuple[float, float]]:
    """Intervals of at least `REST` quarter notes in which all voices rest."""
    found, sounding = [], 0.0
    for start, length, _ in sorted(notes):
        if start - sounding >= REST - _EPSILON:
            found.append((sounding, start))
        sounding = max(sounding, start + length)
    return found if end <= sounding else [*found, (sounding, end)]


def _weights(notes: Sequence[ScoreNote], edges: Floats) -> NDArray[np.float64]:
    """(cells, 12) duration of each pitch class between two edges, in quarter notes."""
    weights = np.zeros((len(edges) - 1, 12))
    for start, length, pitch in notes:
        overlap = np.minimum(edges[1:], start + length) - np.maximum(edges[:-1], start)
        weights[:, pitch % 12] += np.maximum(overlap, 0.0)
    return weights


def merge_spans(spans: Iterable[tuple[float, float, str]]) -> tuple[LabelSpan, ...]:
    """Spans in order; adjacent spans with the same label are merged."""
    result: list[LabelSpan] = []
    for start, end, label in spans:
        if result and result[-1][2] == label and start - result[-1][1] < _EPSILON:
            result[-1] = (result[-1][0], float(end), label)
        else:
            result.append((float(start), float(end), label))
    return tuple(result)
