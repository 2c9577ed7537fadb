"""Scores of onset detection: settings are chosen on validation, then scored once on test.

The reading, smoothing, threshold and shift of each layer and head are those with the best mean
F-measure on the validation split. The settings of spectral flux and the density of the chance
onsets are chosen in the same way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from mirprobe.core.hashing import digest
from mirprobe.core.schema import Floating, Floats
from mirprobe.emergence.onset_detector import (
    SHIFTS,
    SMOOTHING,
    THRESHOLDS,
    PeakSettings,
    novelty,
    peaks,
)
from mirprobe.emergence.rows import ScoredRow, scored_row
from mirprobe.metrics.events import matches
from mirprobe.metrics.onset import WINDOW, scores

COLUMNS = [
    "model", "seed", "layer", "head", "reading", "smoothing", "threshold", "shift", "selected",
    "validation", "value", "low", "high", "precision", "recall", "n",
]  # fmt: skip

Triple = tuple[float, float, float]
"""F-measure, precision and recall."""

DENSITIES = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0)
CHANCE_KINDS = ("even", "uniform")


@dataclass(frozen=True)
class DetectorSetting:
    """The setting of a detector that is best on validation.

    Attributes:
        reading: index in `mirprobe.emergence.attention_maps.READINGS`; 0 for spectral flux.
        peak_settings: settings of the peak picking.
        validation: mean F-measure on validation.
    """

    reading: int
    peak_settings: PeakSettings
    validation: float

    @property
    def row(self) -> dict[str, float]:
        """Its columns of `onsets.csv`, without the name of the reading."""
        return {**asdict(self.peak_settings), "validation": self.validation}


@dataclass(frozen=True, eq=False)
class OnsetTrack:
    """The onsets and the duration of a track, in seconds, and its group."""

    id: str
    onsets: Floats
    duration: float
    group: str


def f_measure_grid(curves: Floating, reference: Floats, frame_rate: float) -> Floats:
    """F-measure of one track for every setting of the detector.

    Args:
        curves: (time, columns).
        reference: onset times in seconds.
        frame_rate: frames per second.

    Returns:
        (columns, smoothings, thresholds, shifts).
    """
    found = np.zeros((curves.shape[1], len(SMOOTHING), len(THRESHOLDS), len(SHIFTS)))
    # a later estimate is equivalent to an earlier reference
    moved = [(reference - shift).tolist() for shift in SHIFTS]
    for s, smoothing in enumerate(SMOOTHING):
        novel = novelty(curves, smoothing, frame_rate)
        for column in range(curves.shape[1]):
            times, heights = peaks(novel[:, column], frame_rate)
            for t, threshold in enumerate(THRESHOLDS):
                estimate = times[heights >= threshold].tolist()
                total = len(reference) + len(estimate)
                found[column, s, t] = [
                    2 * matches(early, estimate, WINDOW) / total for early in moved
                ]
    return found


def best_setting(totals: Floats) -> DetectorSetting:
    """The best setting; the first of ties.

    Args:
        totals: (readings, smoothings, thresholds, shifts), mean F-measure on validation.
    """
    reading, s, t, shift = np.unravel_index(int(np.argmax(totals)), totals.shape)
    peak_settings = PeakSettings(SMOOTHING[s], THRESHOLDS[t], SHIFTS[shift])
    return DetectorSetting(int(reading), peak_settings, float(totals[reading, s, t, shift]))


def chance_onsets(kind: str, track: OnsetTrack, density: float, seed: int) -> Floats:
    """Onsets at chance level: they depend only on the number of true onsets.

    Args:
        kind: `even` for equal distances, `uniform` for random times.
        track: only its duration and its number of onsets are used.
        density: chance onsets per true onset.
        seed: seed of random times.

    Returns:
        Onset times in seconds, increasing.
    """
    count = max(1, round(density * len(track.onsets)))
    if kind == "even":
        return np.asarray((np.arange(count) + 0.5) * track.duration / count)
    rng = np.random.default_rng(int(digest("onsets", track.id, seed)[:16], 16))
    return np.sort(rng.uniform(0, track.duration, count))


def result(
    row: Mapping[str, Any], found: Sequence[Triple | Floats], groups: Sequence[str]
) -> ScoredRow:
    """A row from the F-measure, precision and recall of each test track, and their groups."""
    f, precision, recall = np.array(found).T
    unset = {"selected": False, "layer": "", "head": "", "reading": ""}
    means = {"precision": precision.mean(), "recall": recall.mean()}
    return scored_row({**unset, **row, **means}, f, groups)


def mark_selected(results: Sequence[ScoredRow]) -> list[ScoredRow]:
    """Mark the row with the best validation value; the first of ties."""
    best = max(results, key=lambda one: one.row["validation"])
    return [replace(one, row={**one.row, "selected": one is best}) for one in results]


def chance_results(
    validation: Sequence[OnsetTrack], test: Sequence[OnsetTrack], seed: int
) -> Iterator[ScoredRow]:
    """Scores of each kind of chance onsets, at the density that is best on validation.

    Args:
        validation: tracks of the validation split.
        test: tracks of the test split.
        seed: seed of random times.
    """
    for kind in CHANCE_KINDS:
        means = [
            np.mean([f for f, *_ in _chance_scores(kind, validation, density, seed)])
            for density in DENSITIES
        ]
        best = DENSITIES[int(np.argmax(means))]
        reading = f"{best:g} chance onsets per onset"
        row = {"model": kind, "seed": seed, "reading": reading, "validation": float(max(means))}
        groups = [one.group for one in test]
        yield result(row, _chance_scores(kind, test, best, seed), groups)


def _chance_scores(
    kind: str, tracks: Sequence[OnsetTrack], density: float, seed: int
) -> list[Triple]:
    return [scores(one.onsets, chance_onsets(kind, one, density, seed)) for one in tracks]
