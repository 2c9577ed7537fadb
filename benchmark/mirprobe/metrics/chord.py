"""Chord metrics over a corpus of pieces.

Conventions: Harte labels over intervals in seconds, as mir_eval.chord reads them. As in mir_eval,
labels are encoded with strict_bass_intervals=False and reduce_extended_chords=False to be compared,
and with reduce_extended_chords=True to merge segments for `seg`.

- The span of the reference is scored. A gap between reference segments has the label `X`, which no
  metric compares (mir_eval extends the previous label instead). A gap between estimated segments
  has the label `N`. Gaps and overlaps up to timeline.TOLERANCE seconds are rounding errors and are
  closed.
- WCSR, the weighted chord symbol recall: correct seconds divided by compared seconds, both summed
  over the corpus. Time that the comparison of mir_eval marks with -1 is not compared (MIREX 2013;
  Pauwels & Peeters, ICASSP 2013).
- `seg`: 1 minus the larger of the two directional Hamming distances of a piece, after adjacent
  equal chords are merged; mean over pieces weighted by duration (Harte, PhD thesis, 2010; MIREX
  MeanSeg).
- `accuracy`: fraction of correct frames, in the 25 classes of `LABELS`, on a grid of `GRID`
  seconds, over all frames of the corpus. The grid is the same for encoders of any frame rate.
  Frames whose reference is outside the classes are excluded. Except for the grid, `accuracy` equals
  `majmin`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import Any

import lazy_loader
import numpy as np
from numpy.typing import NDArray

from mirprobe.core.bootstrap import Statistic, weighted_mean
from mirprobe.core.schema import Floats, Segments
from mirprobe.metrics.pitch_classes import PITCHES
from mirprobe.metrics.timeline import Timeline, segment_indices, timeline

mir_eval = lazy_loader.load("mir_eval")  # its import takes longer than a run on finished cells

GRID = 0.010

LABELS = (*(f"{pitch}:{mode}" for mode in ("maj", "min") for pitch in PITCHES), "N")
"""The 25 classes: 12 major, 12 minor, no chord."""

COMPARISONS = ("majmin", "root", "mirex", "thirds", "triads", "sevenths")
"""Functions of mir_eval.chord."""

METRICS: dict[str, str] = {
    "majmin": "WCSR: root and major/minor triad; references except maj, min, N are excluded",
    "root": "WCSR: root",
    "mirex": "WCSR: at least three pitch classes in common (MIREX 2009)",
    "thirds": "WCSR: root and third",
    "triads": "WCSR: root and triad",
    "sevenths": "WCSR: root and seventh chord; references except maj, min, maj7, min7, 7 and N are "
    "excluded",
    "seg": "1 minus the larger of over- and under-segmentation, mean weighted by duration",
    "accuracy": f"fraction of correct frames, {1000 * GRID:.0f} ms grid; as majmin, 25 classes",
}


@cache
def chord_class(label: str) -> int:
    """Index of a Harte label in `LABELS`; -1 if it has no class.

    As in mir_eval.chord.majmin, the pitch classes up to the fifth, including the bass, determine
    the class. `C:7`, `C:maj6/3` and `C:9` are C major; dim, aug, sus, power chords and `X` have no
    class.

    Raises:
        mir_eval.chord.InvalidChordException: the label cannot be read.
    """
    root, bitmap, _ = _encode(label, reduce_extended_chords=False)
    if label == mir_eval.chord.NO_CHORD:
        return LABELS.index("N")
    triads = {tuple(mir_eval.chord.QUALITIES[mode][:8]): mode for mode in ("maj", "min")}
    mode = triads.get(bitmap[:8])
    return LABELS.index(f"{PITCHES[root]}:{mode}") if mode else -1


def corpus_scores(
    references: Sequence[Segments],
    estimates: Sequence[Segments],
    names: Sequence[str] = tuple(METRICS),
) -> dict[str, Statistic]:
    """The metrics called `names` over a corpus of pieces.

    Raises:
        ValueError: segments are unsorted or overlap, a reference has no duration, or the lists
            differ in length.
        mir_eval.chord.InvalidChordException: mir_eval.chord cannot read a label.
    """
    pairs = zip(references, estimates, strict=True)
    pieces = [_piece(reference, estimate, names) for reference, estimate in pairs]
    return {
        name: weighted_mean([p[name][0] for p in pieces], [p[name][1] for p in pieces])
        for name in names
    }


def _piece(
    reference: Segments, estimate: Segments, names: Sequence[str]
) -> dict[str, tuple[float, float]]:
    """Value and weight of each metric for one piece; weights are seconds (`accuracy`: frames)."""
    if not reference.intervals.size:
        raise ValueError("a chord reference needs at least one segment")
    start, stop = float(reference.intervals.min()), float(reference.intervals.max())
    ref = timeline(reference, start, stop, mir_eval.chord.X_CHORD)
    est = timeline(estimate, start, stop, mir_eval.chord.NO_CHORD)

    times = np.union1d(ref[0], est[0])
    pairs = zip(segment_indices(ref, times[:-1]), segment_indices(est, times[:-1]), strict=True)
    compared = np.array([_compare(ref[1][r], est[1][e]) for r, e in pairs])  # (stretches, metrics)
    durations = np.diff(times)
    values = {
        name: _recall(hits, durations)
        for name, hits in zip(COMPARISONS, compared.T, strict=True)
        if name in names
    }
    if "seg" in names:
        values["seg"] = _seg(_merged(ref), _merged(est)), stop - start
    if "accuracy" in names:
        frames = np.arange(start + GRID / 2, stop, GRID)
        truth, guess = (
            np.array([chord_class(label) for label in line[1]])[segment_indices(line, frames)]
            for line in (ref, est)
        )
        hits = np.where(truth < 0, -1.0, truth == guess)
        values["accuracy"] = _recall(hits, np.ones(len(frames)))
    return values


@cache
def _compare(reference: str, estimate: str) -> tuple[float, ...]:
    """The comparisons of mir_eval for one pair of labels."""
    found = (getattr(mir_eval.chord, name)([reference], [estimate]) for name in COMPARISONS)
    return tuple(float(hits[0]) for hits in found)


def _recall(hits: NDArray[Any], weights: Floats) -> tuple[float, float]:
    """Weighted mean and total weight of the hits that are not -1."""
    valid = hits >= 0
    total = float(weights[valid].sum())
    return (float(hits[valid] @ weights[valid]) / total if total else 0.0), total


@cache
def _encode(label: str, *, reduce_extended_chords: bool) -> tuple[int, tuple[int, ...], int]:
    root, bitmap, bass = mir_eval.chord.encode(
        label, reduce_extended_chords=reduce_extended_chords, strict_bass_intervals=False
    )
    return int(root), tuple(bitmap.tolist()), int(bass)


def _merged(line: Timeline) -> Floats:
    """Boundaries between different chords, as in mir_eval.chord.merge_chord_intervals."""
    boundaries, labels = line
    chords = [_encode(label, reduce_extended_chords=True) for label in labels]
    changes = [before != after for before, after in pairwise(chords)]
    return np.asarray(boundaries[np.array([True, *changes, True])], dtype=np.float64)


def _seg(reference: Floats, estimate: Floats) -> float:
    return 1.0 - max(_hamming(reference, estimate), _hamming(estimate, reference))


def _hamming(reference: Floats, estimate: Floats) -> float:
    """Directional Hamming distance of two lists of boundaries with equal first and last values."""
    times = np.union1d(reference, estimate)
    first = np.searchsorted(times, reference[:-1])
    longest = np.maximum.reduceat(np.diff(times), first)  # longest part of each reference segment
    span = reference[-1] - reference[0]
    return float((span - longest.sum()) / span)
