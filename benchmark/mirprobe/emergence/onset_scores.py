"""How well attention finds note onsets: everything is chosen on validation, then scored once.

For each layer and head the reading, the smoothing, the threshold and the shift are those with the
best mean F-measure on the validation split; so are spectral flux's settings, and the density of the
guesses that hear nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mirprobe.core.bootstrap import Statistic
from mirprobe.core.hashing import digest
from mirprobe.core.schema import Floating, Floats
from mirprobe.emergence.intervals import mean_of, measure
from mirprobe.emergence.onset_detector import (
    SHIFTS,
    SMOOTHING,
    THRESHOLDS,
    PeakSettings,
    novelty,
    peaks,
)
from mirprobe.metrics.onset import matches, scores

COLUMNS = [
    "model", "seed", "layer", "head", "reading", "smoothing", "threshold", "shift", "selected",
    "validation", "value", "low", "high", "precision", "recall", "n",
]  # fmt: skip

Triple = tuple[float, float, float]
"""F-measure, precision and recall."""

DENSITIES = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0)
CHANCE_KINDS = ("even", "uniform")


@dataclass(frozen=True, eq=False)
class OnsetResult:
    """One detector on the test split: a row of `onsets.csv`, and the F-measure of each track."""

    row: Mapping[str, Any]
    tracks: Floats

    @property
    def statistic(self) -> Statistic:
        """The mean F-measure."""
        return mean_of(self.tracks)


@dataclass(frozen=True)
class DetectorSetting:
    """What validation chose for a detector.

    Attributes:
        reading: index in `mirprobe.emergence.attention_maps.READINGS`; 0 for spectral flux.
        picking: settings of the detector.
        validation: the mean F-measure that they reached.
    """

    reading: int
    peak_settings: PeakSettings
    validation: float

    @property
    def row(self) -> dict[str, float]:
        """The columns of `onsets.csv` that it fills, but for the reading's name."""
        return {**asdict(self.peak_settings), "validation": self.validation}


@dataclass(frozen=True, eq=False)
class OnsetTrack:
    """A track as one sees it who is about to guess: onsets and duration in seconds."""

    id: str
    onsets: Floats
    duration: float


def f_measure_grid(curves: Floating, reference: Floats, frame_rate: float) -> Floats:
    """F-measure of one track under every setting of the detector.

    Args:
        curves: (time, columns).
        reference: onset times in seconds.
        frame_rate: frames a second.

    Returns:
        (columns, smoothings, thresholds, shifts).
    """
    found = np.zeros((curves.shape[1], len(SMOOTHING), len(THRESHOLDS), len(SHIFTS)))
    # to move the estimates later is to move the reference earlier
    moved = [(reference - shift).tolist() for shift in SHIFTS]
    for s, smoothing in enumerate(SMOOTHING):
        novel = novelty(curves, smoothing, frame_rate)
        for column in range(curves.shape[1]):
            times, heights = peaks(novel[:, column], frame_rate)
            for t, threshold in enumerate(THRESHOLDS):
                estimate = times[heights >= threshold].tolist()
                total = len(reference) + len(estimate)
                found[column, s, t] = [2 * matches(early, estimate) / total for early in moved]
    return found


def best_setting(totals: Floats) -> DetectorSetting:
    """The best setting, the first of equals.

    Args:
        totals: (readings, smoothings, thresholds, shifts), mean F-measure on validation.
    """
    reading, s, t, shift = np.unravel_index(int(np.argmax(totals)), totals.shape)
    peak_settings = PeakSettings(SMOOTHING[s], THRESHOLDS[t], SHIFTS[shift])
    return DetectorSetting(int(reading), peak_settings, float(totals[reading, s, t, shift]))


def chance_onsets(kind: str, track: OnsetTrack, density: float, seed: int) -> Floats:
    """Onsets of someone who hears nothing but knows how many there are.

    Args:
        kind: `even` for equal distances, `uniform` for random times.
        track: of its onsets only the number is used.
        density: guesses for each onset that there is.
        seed: of random times.
    """
    count = max(1, round(density * len(track.onsets)))
    if kind == "even":
        return np.asarray((np.arange(count) + 0.5) * track.duration / count)
    rng = np.random.default_rng(int(digest("onsets", track.id, seed)[:16], 16))
    return np.sort(rng.uniform(0, track.duration, count))


def result(row: Mapping[str, Any], found: Sequence[Triple], seed: int) -> OnsetResult:
    """A row from each test track's F-measure, precision and recall."""
    f, precision, recall = np.array(found).T
    interval = measure(mean_of(f), len(f), seed)
    row = {
        **{"selected": False, "layer": "", "head": "", "reading": ""},
        **{"smoothing": np.nan, "threshold": np.nan, "shift": np.nan},
        **row,
        "value": interval.value,
        "low": interval.low,
        "high": interval.high,
        "precision": precision.mean(),
        "recall": recall.mean(),
        "n": len(f),
    }
    return OnsetResult({column: row[column] for column in COLUMNS}, f)


def mark_selected(results: Sequence[OnsetResult]) -> list[OnsetResult]:
    """Mark the row that validation prefers, the first of equals."""
    best = max(range(len(results)), key=lambda place: results[place].row["validation"])
    return [
        OnsetResult({**one.row, "selected": place == best}, one.tracks)
        for place, one in enumerate(results)
    ]


def chance_results(
    validation: Sequence[OnsetTrack], test: Sequence[OnsetTrack], seed: int
) -> Iterator[OnsetResult]:
    """Each kind of guess at the density that validation prefers.

    Args:
        validation: its tracks.
        test: likewise.
        seed: of random times and of the bootstrap.
    """
    for kind in CHANCE_KINDS:
        means = [
            np.mean([_chance_scores(kind, track, density, seed)[0] for track in validation])
            for density in DENSITIES
        ]
        best = DENSITIES[int(np.argmax(means))]
        row = {
            "model": kind,
            "seed": seed,
            "reading": f"{best:g} guesses an onset",
            "validation": float(max(means)),
        }
        yield result(row, [_chance_scores(kind, track, best, seed) for track in test], seed)


def _chance_scores(kind: str, track: OnsetTrack, density: float, seed: int) -> Triple:
    return scores(track.onsets, chance_onsets(kind, track, density, seed))
