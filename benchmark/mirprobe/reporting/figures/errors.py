"""How predictions are wrong: a row for each encoder, a column for each kind of error.

Keys by their place on the circle of fifths, chords by root and quality, beats by metrical level and
phase, tags by average precision.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mirprobe.core.plotting import new_figure
from mirprobe.core.schema import Annotations, Beats, Floats, Segments
from mirprobe.metrics.chord import LABELS, chord_class
from mirprobe.metrics.key import key_class
from mirprobe.reporting.compared import Compared
from mirprobe.reporting.figures.common import WIDTH, data_of, literal, shown, title_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Pairs = Sequence[tuple[Annotations, Annotations]]
"""Reference and estimate of each track."""

FIFTHS = range(-5, 7)
QUALITIES = ("maj", "min", "N")
LEVELS = {"1/3": 1 / 3, "1/2": 1 / 2, "2/3": 2 / 3, "1": 1.0, "3/2": 1.5, "2": 2.0, "3": 3.0}
LEVEL_WIDTH = 0.08  # of a tempo ratio, as a share
PHASES = 10


@dataclass(frozen=True, eq=False)
class Grid:
    """One panel: `values[encoder][column]`, in percent."""

    title: str
    columns: Sequence[str]
    values: Floats


def errors(compared: Compared, tables: list[pd.DataFrame] | None = None) -> Figure | None:
    """The error view of one ranked table, the first of `tables` that has one.

    Returns:
        None if no table has a view: its predictions are no keys, chords, beats or tags, or the run
        holds no references.
    """
    for rows in compared.tables() if tables is None else tables:
        encoders = shown(rows)
        chosen = rows[rows["encoder"].isin(encoders)]
        references = compared.references(rows.iloc[0])
        pairs = []
        for _, row in chosen.iterrows():
            estimates = compared.predictions(row)
            pairs.append([(references[k], own) for k, own in estimates.items() if k in references])
        found = view_of(pairs)
        if found is not None:
            what, grids = found
            first = " Of several fitted probes, the first." if _several(compared, chosen) else ""
            figure = _draw(grids, encoders)
            figure.set_label(f"{title_of(rows)}. {what}{first} Data: {data_of(rows)}.")
            return figure
    return None


def view_of(encoders: Sequence[Pairs]) -> tuple[str, list[Grid]] | None:
    """What a view shows, and its panels, for the pairs of each encoder."""
    if not encoders or not all(encoders):
        return None
    given = encoders[0][0][1].given()
    view = next((VIEWS[name] for name in given if name in VIEWS), None)
    return None if view is None else view(encoders)


def key_view(encoders: Sequence[Pairs]) -> tuple[str, list[Grid]]:
    """Share of tracks by steps on the circle of fifths, for estimates of either mode.

    A minor key has the place of its relative major, so that relative keys are 0 steps apart.
    """
    counts = np.zeros((len(encoders), 2, len(FIFTHS)))
    for own, pairs in zip(counts, encoders, strict=True):
        for reference, estimate in pairs:
            true, found = key_class(str(reference.key)), key_class(str(estimate.key))
            if true >= 0 and found >= 0:
                steps = (_place(found) - _place(true) + 5) % 12
                own[int(found // 12 != true // 12), steps] += 1
    shares = 100 * counts / np.maximum(counts.sum((1, 2), keepdims=True), 1)
    columns = [f"{step:+d}" if step else "0" for step in FIFTHS]
    return (
        "Percent of tracks by the distance of the estimated from the reference key in steps on the "
        "circle of fifths; a minor key has the place of its relative major. Same mode: 0 is "
        "correct, ±1 a fifth. Other mode: 0 is the relative key, ±3 the parallel key.",
        [
            Grid("key of the same mode: steps on the circle of fifths", columns, shares[:, 0]),
            Grid("key of the other mode: steps on the circle of fifths", columns, shares[:, 1]),
        ],
    )


def _place(key: int) -> int:
    """Place of a class of `KEYS` on the circle of fifths."""
    tonic = key % 12 + (3 if key >= 12 else 0)  # of the relative major
    return 7 * tonic % 12


def chord_view(encoders: Sequence[Pairs]) -> tuple[str, list[Grid]]:
    """Share of time by interval between the roots, and by quality."""
    roots = np.zeros((len(encoders), 12))
    qualities = np.zeros((len(encoders), 3, 3))
    for place, pairs in enumerate(encoders):
        times = sum((_confusion(one.chords, other.chords) for one, other in pairs), _none())
        for true, found in np.argwhere(times):
            qualities[place, _quality(true), _quality(found)] += times[true, found]
            if _quality(true) < 2 and _quality(found) < 2:
                roots[place, (found - true) % 12] += times[true, found]
    by_reference = 100 * qualities / np.maximum(qualities.sum(2, keepdims=True), 1e-9)
    names = [f"{true}\n{found}" for true in QUALITIES for found in QUALITIES]
    shares = 100 * roots / np.maximum(roots.sum(1, keepdims=True), 1e-9)
    return (
        "Percent of time. Roots: where reference and estimate are both a major or minor chord. "
        "Quality: of the time of each reference quality (above), the share of each estimate "
        "(below).",
        [
            Grid("root: semitones above the reference", [str(x) for x in range(12)], shares),
            Grid("quality: reference above, estimate below", names, by_reference.reshape(-1, 9)),
        ],
    )


def _none() -> Floats:
    return np.zeros((len(LABELS), len(LABELS)))


def _quality(label: int) -> int:
    return 2 if label == len(LABELS) - 1 else label // 12


def _confusion(reference: Segments | None, estimate: Segments | None) -> Floats:
    """Seconds in each pair of classes; time outside the classes is left out."""
    times = _none()
    if reference is None or estimate is None or not len(reference.labels):
        return times
    edges = np.union1d(reference.intervals.ravel(), estimate.intervals.ravel())
    middles = (edges[1:] + edges[:-1]) / 2
    classes = []
    for line in (reference, estimate):
        place = np.searchsorted(line.intervals[:, 0], middles, side="right") - 1
        inside = (place >= 0) & (middles < line.intervals[place, 1])
        own = np.array([chord_class(label) for label in line.labels])
        classes.append(np.where(inside, own[place], -1))
    known = (classes[0] >= 0) & (classes[1] >= 0)
    np.add.at(times, (classes[0][known], classes[1][known]), np.diff(edges)[known])
    return times


def beat_view(encoders: Sequence[Pairs]) -> tuple[str, list[Grid]]:
    """Share of tracks by ratio of the tempi, and of beats by phase."""
    levels = np.zeros((len(encoders), len(LEVELS) + 1))
    phases = np.zeros((len(encoders), PHASES))
    ratios = np.array(list(LEVELS.values()))
    for place, pairs in enumerate(encoders):
        for one, other in pairs:
            true, found = _times(one), _times(other)
            if len(true) < 2:
                continue
            if len(found) < 2:
                levels[place, -1] += 1
                continue
            ratio = np.median(np.diff(true)) / np.median(np.diff(found))
            near = int(np.abs(np.log(ratio / ratios)).argmin())
            close = abs(ratio / ratios[near] - 1) < LEVEL_WIDTH
            levels[place, near if close else -1] += 1
            inside = found[(found >= true[0]) & (found < true[-1])]
            before = np.searchsorted(true, inside, side="right") - 1
            phase = (inside - true[before]) / np.diff(true)[before]
            np.add.at(phases[place], np.round(phase * PHASES).astype(int) % PHASES, 1)
    phases = np.roll(phases, PHASES // 2, axis=1)
    steps = (np.arange(PHASES) - PHASES // 2) / PHASES
    return (
        "Tempo: percent of tracks by estimated over reference tempo (medians of the intervals, "
        f"within {100 * LEVEL_WIDTH:.0f} %). Phase: percent of estimated beats by their place "
        "between reference beats; 0 is on the beat, -0.5 is the off-beat.",
        [
            Grid(
                "metrical level: estimated over reference tempo",
                [*LEVELS, "other"],
                _percent(levels),
            ),
            Grid(
                "phase of the estimated beats, in beats",
                [f"{x:.1f}" for x in steps],
                _percent(phases),
            ),
        ],
    )


def _percent(counts: Floats) -> Floats:
    return np.asarray(100 * counts / np.maximum(counts.sum(1, keepdims=True), 1))


def _times(one: Annotations) -> Floats:
    beats = one.beats
    return beats.times if isinstance(beats, Beats) else np.zeros(0)


def tag_view(encoders: Sequence[Pairs]) -> tuple[str, list[Grid]] | None:
    """Average precision of each tag, most frequent first, without tags of all or no tracks."""
    from sklearn.metrics import average_precision_score

    tags = list(encoders[0][0][1].tags or {})
    truth = np.array([[(one.tags or {}).get(t, 0) > 0.5 for t in tags] for one, _ in encoders[0]])
    counts = truth.sum(0)
    order = [n for n in np.argsort(-counts, kind="stable") if 0 < counts[n] < len(truth)]
    if not order:
        return None
    values = []
    for pairs in encoders:
        true = np.array([[(one.tags or {}).get(t, 0) > 0.5 for t in tags] for one, _ in pairs])
        scores = np.array([[(other.tags or {})[t] for t in tags] for _, other in pairs])
        values.append([100 * average_precision_score(true[:, n], scores[:, n]) for n in order])
    return (
        "Average precision of each tag in percent, and the number of test tracks that have it.",
        [Grid("average precision", [f"{tags[n]} ({counts[n]})" for n in order], np.array(values))],
    )


VIEWS: Mapping[str, Callable[[Sequence[Pairs]], tuple[str, list[Grid]] | None]] = {
    "key": key_view,
    "chords": chord_view,
    "beats": beat_view,
    "tags": tag_view,
}
"""Field of an estimate -> its view."""


def _several(compared: Compared, rows: pd.DataFrame) -> bool:
    scores = compared.scores[compared.scores["cell"].isin(rows["cell"])]
    return bool(scores[["draw", "resample", "seed"]].nunique().gt(1).any())


def _draw(grids: Sequence[Grid], encoders: Sequence[str]) -> Figure:
    long = max(len(x) for grid in grids for name in grid.columns for x in name.split("\n")) > 6
    height = 0.24 * len(encoders) + (1.5 if long else 0.75)
    figure = new_figure(WIDTH, height * len(grids))
    for own, grid in zip(figure.subplots(len(grids), 1, squeeze=False).flat, grids, strict=True):
        _draw_grid(own, grid, encoders, long)
    return figure


def _draw_grid(axes: Axes, grid: Grid, encoders: Sequence[str], long: bool) -> None:
    axes.pcolormesh(grid.values, cmap="Blues", vmin=0, vmax=100, edgecolors="white", lw=0.5)
    for row, values in enumerate(grid.values):
        for column, value in enumerate(values):
            axes.text(
                column + 0.5, row + 0.5, f"{value:.0f}", ha="center", va="center_baseline",
                fontsize=7, color="white" if value > 60 else "black",
            )  # fmt: skip
    places = np.arange(len(grid.columns)) + 0.5
    axes.set_xticks(places, [literal(name) for name in grid.columns], rotation=90 if long else 0)
    axes.set_yticks(np.arange(len(encoders)) + 0.5, [literal(name) for name in encoders])
    axes.invert_yaxis()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_title(grid.title)
