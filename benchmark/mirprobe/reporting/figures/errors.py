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

from mirprobe.core.errors import ConfigError
from mirprobe.core.plotting import new_figure
from mirprobe.core.schema import Annotations, Beats, Floats, Segments
from mirprobe.metrics.chord import LABELS, chord_class
from mirprobe.metrics.key import key_class
from mirprobe.reporting.figures.common import MOST, WIDTH, data_of, short_name, shown, title_of
from mirprobe.reporting.run_collection import RunCollection

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

    @property
    def long(self) -> bool:
        """Whether names of columns do not fit side by side."""
        return max(len(line) for name in self.columns for line in name.split("\n")) > 6


@dataclass(frozen=True, eq=False)
class View:
    """The error view of a ranked table.

    Attributes:
        encoders: the rows of each grid.
        grids: its panels.
        caption: what it shows, and of which data.
    """

    encoders: Sequence[str]
    grids: Sequence[Grid]
    caption: str


def error_view(collection: RunCollection, rows: pd.DataFrame) -> View | None:
    """How the predictions for a ranked table are wrong.

    Returns:
        None if the predictions are no keys, chords, beats or tags, or the run has no references.
    """
    references = collection.references(rows.iloc[0])
    chosen = rows.iloc[:MOST]
    pairs = []
    for _, row in chosen.iterrows():
        estimates = collection.predictions(row)
        pairs.append([(references[k], own) for k, own in estimates.items() if k in references])
    found = view_of(pairs)
    if found is None:
        return None
    what, grids = found
    first = " Of several fitted probes, the first." if _several(collection, chosen) else ""
    return View(shown(rows), grids, f"{what}{first} Data: {data_of(rows)}.")


def confusion(collection: RunCollection) -> Figure:
    """The error view of every ranked table that has one, one below the other.

    Raises:
        ConfigError: no table has one.
    """
    tables = collection.tables()
    views = [(rows, view) for rows in tables if (view := error_view(collection, rows)) is not None]
    if not views:
        raise ConfigError(
            "this figure shows keys, chords, beats and tags; no ranked table of these runs has "
            "them, or the runs are of a version that stored no references: run again"
        )
    grids = [
        (
            f"{title_of(collection, rows)}: {grid.title}" if len(views) > 1 else grid.title,
            grid,
            view.encoders,
        )
        for rows, view in views
        for grid in view.grids
    ]
    heights = [0.24 * len(names) + (1.5 if grid.long else 0.75) for _, grid, names in grids]
    figure = new_figure(WIDTH, sum(heights))
    axes = figure.subplots(len(grids), 1, squeeze=False, height_ratios=heights)
    for own, (title, grid, encoders) in zip(axes.flat, grids, strict=True):
        _draw(own, title, grid, encoders)
    figure.set_label(
        " ".join(f"{title_of(collection, rows)}: {view.caption}" for rows, view in views)
    )
    return figure


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

    every = [set(other.tags or {}) for pairs in encoders for _, other in pairs]
    tags = [tag for tag in encoders[0][0][1].tags or {} if all(tag in one for one in every)]
    if not tags:
        return None
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


def _several(collection: RunCollection, rows: pd.DataFrame) -> bool:
    scores = collection.scores[collection.scores["cell"].isin(rows["cell"])]
    return bool(scores[["draw", "resample", "seed"]].nunique().gt(1).any())


def _draw(axes: Axes, title: str, grid: Grid, encoders: Sequence[str]) -> None:
    axes.pcolormesh(grid.values, cmap="Blues", vmin=0, vmax=100, edgecolors="white", lw=0.5)
    for row, values in enumerate(grid.values):
        for column, value in enumerate(values):
            axes.text(
                column + 0.5, row + 0.5, f"{value:.0f}", ha="center", va="center_baseline",
                fontsize=7, color="white" if value > 60 else "black",
            )  # fmt: skip
    places = np.arange(len(grid.columns)) + 0.5
    rotation = 90 if grid.long else 0
    axes.set_xticks(places, [short_name(name) for name in grid.columns], rotation=rotation)
    axes.set_yticks(np.arange(len(encoders)) + 0.5, [short_name(name) for name in encoders])
    axes.invert_yaxis()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_title(title)
