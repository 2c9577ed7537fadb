"""Differences between encoders of any runs that share their data: `mirprobe compare`.

Everything is computed from stored predictions and references. A difference has its paired interval
(`core.confidence_intervals`) and a p by randomisation (`core.randomisation`), corrected by Holm
over all differences that are shown together. A pair that cannot be compared says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from mirprobe.api.specs import require_scores
from mirprobe.api.task import Task, score_main
from mirprobe.core.confidence_intervals import Estimate, Interval, p_value
from mirprobe.core.errors import ConfigError, MirprobeError
from mirprobe.core.randomisation import swap_p_value
from mirprobe.core.schema import Track
from mirprobe.probing.results import Cell
from mirprobe.reporting.leaderboard import merge
from mirprobe.reporting.paired_differences import common_tracks, estimates
from mirprobe.reporting.ranks import LEVEL, holm
from mirprobe.reporting.stored_run import StoredRun

POWER = 0.8
SHIPPED = Path(__file__).parent / "reference"
"""Runs of this package, made by `mirprobe leaderboard pack`."""
BETTER, WORSE, SAME = "better", "worse", "no significant difference"
COMPARED = [
    "task", "dataset", "metric", "encoder", "reference", "value", "reference_value", "difference",
    "low", "high", "interval", "p", "p_holm", "mark", "n", "groups", "detectable", "reason",
]  # fmt: skip
_FIXED = {"data": "data (audio, annotations or splits)", "probe": "probe", "preset": "preset"}
"""What two scores must have in common, in `scores.csv`, with its name in messages."""


@dataclass(frozen=True, eq=False)
class Entry:
    """One encoder in one task.

    Attributes:
        row: its main score in the table of all runs; the name of the encoder is unique there.
        run: that holds it.
        own_name: of the encoder in that run.
    """

    row: pd.Series
    run: StoredRun
    own_name: str

    @property
    def name(self) -> str:
        """Of the encoder in the table."""
        return str(self.row["encoder"])

    @property
    def cell(self) -> Cell:
        """Its scores and predictions."""
        return self.run.cell(self.own_name, str(self.row["task"]))


def reference_runs() -> list[StoredRun]:
    """The runs that come with this package: scores and the predictions of the selected probes."""
    return [StoredRun(path) for path in sorted(SHIPPED.glob("*.zip"))]


def entries(runs: Sequence[StoredRun]) -> list[Entry]:
    """Every encoder in every task, once; see `leaderboard.merge`."""
    owners = {
        (cell, task): (run, encoder)
        for run in runs
        for cell, task, encoder in run.scores[["cell", "task", "encoder"]]
        .drop_duplicates()
        .itertuples(index=False)
    }
    table = merge([run.scores for run in runs])
    mains = table[(table["kind"] == "probe") & table["main"] & table["selected"]]
    one = ["encoder", "task", "cell"]
    mains = mains.assign(value=mains.groupby(one)["value"].transform(_mean))
    return [
        Entry(row, *owners[row["cell"], row["task"]])
        for _, row in mains.drop_duplicates(one).iterrows()
    ]


def _mean(values: pd.Series) -> float:
    """Over fitted probes; NaN if one of them has no score."""
    return float(values.mean(skipna=False))


def compare(runs: Sequence[StoredRun], reference: str, tasks: Sequence[str] = ()) -> pd.DataFrame:
    """Each encoder minus a reference, on the same test tracks, by the main metric of each task.

    Args:
        runs: if none of them holds the reference, it is taken from the runs of this package.
        reference: name of an encoder.
        tasks: only these; empty for all.

    Returns:
        One row for each other encoder and task, with the columns `COMPARED`. `value` and
        `reference_value` are scores over the `n` test tracks that both encoders have; `low` and
        `high` are the 95 % interval of the difference, `p_holm` is `p` after Holm's correction over
        all rows. `mark` is better, worse or no significant difference. `detectable` is the
        smallest true difference that these tracks show with probability .8. Where two encoders
        cannot be compared, `mark` is empty and `reason` says why.

    Raises:
        ConfigError: the reference or a task is unknown, or there is no other encoder.
    """
    found = entries(runs)
    known = {entry.name for entry in found}
    shipped = [] if reference in known else reference_runs()
    if shipped:
        found += [one for one in entries(shipped) if one.name == reference]
    anchors = [entry for entry in found if entry.name == reference]
    require_scores("encoder", reference, {entry.name for entry in found})
    for task in tasks:
        require_scores("task", task, {str(entry.row["task"]) for entry in found})
    others = [
        entry
        for entry in found
        if entry.name != reference and (not tasks or entry.row["task"] in tasks)
    ]
    if not others:
        raise ConfigError(f"there is no encoder to compare with '{reference}'; name another run")
    table = pd.DataFrame([_compared(entry, anchors, reference) for entry in others])
    table["p_holm"] = holm(table["p"].to_numpy(dtype=np.float64))
    direction = np.where(table["difference"] > 0, BETTER, WORSE)
    marks = np.where(table["p_holm"] < LEVEL, direction, SAME)
    table["mark"] = np.where(table["p"].isna(), "", marks)
    level = LEVEL / max(1, int(table["p"].notna().sum()))
    table["detectable"] = [
        error * float(stdtrit(df, 1 - level / 2) + stdtrit(df, POWER)) if df > 0 else np.nan
        for error, df in zip(table.pop("error"), table.pop("df"), strict=True)
    ]
    return table[COMPARED].astype({"n": "Int64", "groups": "Int64"})


def _compared(entry: Entry, anchors: Sequence[Entry], reference: str) -> dict[str, Any]:
    row = {name: entry.row[name] for name in ("task", "dataset", "metric", "encoder", "value")}
    blank = dict.fromkeys(("reference_value", "difference", "low", "high", "p"), np.nan)
    none = {"n": pd.NA, "groups": pd.NA, "interval": "", "error": np.nan, "df": 0.0}
    row |= {**blank, **none, "reference": reference, "reason": ""}
    peers = [one for one in anchors if one.row["task"] == row["task"]]
    fitting = [one for one in peers if not unlike(entry, one)]
    if not fitting:
        why = unlike(entry, peers[0]) if peers else f"'{reference}' has no scores in this task"
        return {**row, "reason": why}
    try:
        return row | _difference(entry, fitting[-1])
    except MirprobeError as error:
        return {**row, "reason": str(error)}


def unlike(one: Entry, other: Entry) -> str:
    """Why two entries cannot be compared; empty if they can."""
    for field, name in _FIXED.items():
        values = [str(entry.row[field]) for entry in (one, other)]
        if field == "data" and "" in values:
            return "the run is of an earlier version, without a hash of its data; run it again"
        if values[0] != values[1]:
            if field == "data" and one.row["dataset"] != other.row["dataset"]:
                return f"different data sets: {one.row['dataset']} and {other.row['dataset']}"
            if field == "data" and one.row["n"] != other.row["n"]:
                return f"different {name}: {one.row['n']} and {other.row['n']} test tracks"
            return f"different {name}: {values[0][:8]} and {values[1][:8]}"
    return ""


@dataclass(frozen=True, eq=False)
class Pair:
    """The main metric of two entries on the test tracks that both have.

    Attributes:
        task: the task.
        tracks: these test tracks.
        scores: of the two entries, over all fitted probes.
        n: number of tracks that the metric scores.
    """

    task: Task
    tracks: list[Track]
    scores: tuple[Estimate, Estimate]
    n: int


def pair(one: Entry, other: Entry) -> Pair:
    """Score two entries on the same tracks.

    Raises:
        ConfigError: they have no test track in common, or the task is not installed.
        StorageError: a file of a run is missing or damaged.
    """
    cells, tracks = (one.cell, other.cell), one.run.dataset.tracks
    ids = common_tracks(cells)
    if not ids:
        raise ConfigError("the two encoders have no test track in common")
    task = one.run.task(str(one.row["task"]))
    main = task.main_metric
    (first, n), (second, _) = (estimates(cell, task, tracks, ids, main)[main] for cell in cells)
    return Pair(task, [tracks[track] for track in ids], (first, second), n)


def _difference(entry: Entry, anchor: Entry) -> dict[str, Any]:
    found = pair(entry, anchor)
    one, other = found.scores
    difference = one - other
    interval = difference.interval
    if np.isnan(difference.value):
        raise ConfigError("the score of one of the two is undefined on these tracks")
    if difference.groups < 2:
        raise ConfigError("one group of test tracks shows no difference; test on more")
    return {
        "value": one.value,
        "reference_value": other.value,
        "difference": difference.value,
        "low": interval.low,
        "high": interval.high,
        "interval": interval.text,
        "p": _p(difference, interval, (entry.cell, anchor.cell), found.task, found.tracks),
        "n": found.n,
        "groups": difference.groups,
        "error": (interval.high - interval.low) / 2 / float(stdtrit(interval.df, 0.975)),
        "df": interval.df,
    }


def _p(
    difference: Estimate, interval: Interval, cells: Sequence[Cell], task: Task, tracks: list[Track]
) -> float:
    """By randomisation; with several fitted probes the larger one of that and of the interval.

    Swaps say nothing of other fitted probes, the interval does.
    """
    truth = [track.annotations for track in tracks]
    pairs = list(product(*(cell.chosen() for cell in cells)))
    # resamples and seeds are common to both encoders, draws of random weights are not
    alike = [(a, b) for a, b in pairs if (a.resample, a.seed) == (b.resample, b.seed)]
    mixtures = [
        score_main(task, truth + truth, [fit.tracks[track.id] for fit in pair for track in tracks])
        for pair in alike or pairs
    ]
    p = swap_p_value(mixtures, [track.group or track.id for track in tracks])
    if difference.values.size == 1:
        return p
    return max(p, p_value(difference.value, interval.low, interval.high, interval.df))
