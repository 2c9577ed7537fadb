"""Finished runs that are shown together: scores, differences, predictions, descriptions."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from os import PathLike
from typing import Any

import numpy as np
import pandas as pd

from mirprobe.api.specs import require_scores
from mirprobe.api.task import score_main
from mirprobe.core.errors import ConfigError, MirprobeError, StorageError
from mirprobe.core.schema import Annotations
from mirprobe.reporting.differences_between_runs import all_pairs
from mirprobe.reporting.leaderboard import leaderboard, merge
from mirprobe.reporting.ranks import BESIDE, RANKED_TOGETHER, holm, table_names, with_p
from mirprobe.reporting.stored_run import StoredRun

log = logging.getLogger(__name__)

AnyRun = str | PathLike[str] | StoredRun
PAIRS = ["table", "encoder", "reference", "difference", "low", "high", "n", "p"]


@dataclass(frozen=True, eq=False)
class RunCollection:
    """Runs that are shown together.

    Attributes:
        runs: the runs.
        scores: rows of `scores.csv` of all runs, with `speed`.
        pairs: paired differences, of `differences.csv`.
        board: the leaderboard, with a column `table`: rows that are ranked together have the same
            number.
    """

    runs: Sequence[StoredRun]
    scores: pd.DataFrame
    pairs: pd.DataFrame
    board: pd.DataFrame = field(init=False)

    def __post_init__(self) -> None:
        board = leaderboard(self.scores, pairs=self.pairs)
        tables = board.groupby(RANKED_TOGETHER, sort=False, dropna=False).ngroup()
        object.__setattr__(self, "board", board.assign(table=tables))

    @property
    def mains(self) -> pd.DataFrame:
        """The rows of the board of the main metrics."""
        return self.board[self.board["main"]]

    def tables(self) -> list[pd.DataFrame]:
        """The main rows of each ranked table: best first, then those that are not ranked."""
        order = self.mains.sort_values(["table", "value"], ascending=[True, False], kind="stable")
        return [rows for _, rows in order.groupby("table", sort=True)]

    @cached_property
    def titles(self) -> list[str]:
        """A name for each ranked table; see `table_names`."""
        return table_names([rows.iloc[0] for rows in self.tables()])

    @cached_property
    def differences(self) -> pd.DataFrame:
        """One row for each ordered pair of encoders of a ranked table, with the columns `PAIRS`.

        `p` is corrected by Holm's method over all unordered pairs of all tables; pairs of which no
        run has a difference are missing.
        """
        known = with_p(self.pairs[self.pairs["reference"] != ""]).sort_values("metric")
        known = known.drop_duplicates(["cell", "reference_cell"])
        names = self.mains[["table", "cell", "encoder"]]
        own = known.drop(columns=["encoder", "reference"]).merge(names, on="cell")
        others = names.rename(columns={"cell": "reference_cell", "encoder": "reference"})
        own = own.merge(others, on=["reference_cell", "table"])
        # two names of one encoder have one cell
        twins = (own["cell"] == own["reference_cell"]) & (own["encoder"] < own["reference"])
        first = (own["cell"] < own["reference_cell"]) | twins
        halves = own[first].assign(p=holm(own[first]["p"].to_numpy(dtype=np.float64)))
        mirrored = halves.assign(
            encoder=halves["reference"],
            reference=halves["encoder"],
            difference=-halves["difference"],
            low=-halves["high"],
            high=-halves["low"],
        )
        return pd.concat([halves, mirrored])[PAIRS].reset_index(drop=True)

    def best(self) -> set[tuple[int, str]]:
        """(table, encoder) of the best ranked encoders and those not significantly below them."""
        found = set()
        for rows in self.tables():
            tops = set(rows.loc[rows["rank"] == 1, "encoder"])
            for _, row in rows[rows["rank"].notna()].iterrows():
                tied = pd.isna(row["rank_low"]) or tops & set(row["below"].split(BESIDE))
                if row["encoder"] in tops or not tied:
                    found.add((int(row["table"]), str(row["encoder"])))
        return found

    @cached_property
    def _places(self) -> dict[str, tuple[StoredRun, str, str]]:
        """Key of a cell -> run, and the names of encoder and task in it."""
        return {
            str(cell): (run, str(encoder), str(task))
            for run in self.runs
            for cell, encoder, task in run.scores[["cell", "encoder", "task"]]
            .drop_duplicates()
            .itertuples(index=False)
        }

    def predictions(self, row: pd.Series) -> Mapping[str, Annotations]:
        """Track -> prediction of the first probe that validation chose, for a row of the board.

        It is empty if the run lacks the file of the cell.
        """
        run, encoder, task = self._places[row["cell"]]
        try:
            return run.predictions(encoder, task)
        except StorageError as error:
            return _missing(error, {})

    def references(self, row: pd.Series) -> Mapping[str, Annotations]:
        """Track -> reference; empty if the run is of a version that did not store them."""
        run, _, task = self._places[row["cell"]]
        try:
            return run.references(task)
        except StorageError as error:
            return _missing(error, {})

    def track_scores(self, row: pd.Series) -> Mapping[str, float]:
        """Track -> the main metric of that track alone, of the probe of `predictions`.

        It is empty if the task is not registered here or is undefined for single tracks.
        """
        run, encoder, name = self._places[row["cell"]]
        try:
            task, tracks = run.task(name), run.scored_tracks(encoder, name)
        except MirprobeError as error:
            return _missing(error, {})
        own = run.predictions(encoder, name)
        statistic = score_main(
            task, [track.annotations for track in tracks], [own[track.id] for track in tracks]
        )
        values = statistic.resample(np.eye(len(tracks)))
        return {track.id: float(value) for track, value in zip(tracks, values, strict=True)}


def _missing(error: MirprobeError, empty: Mapping[str, Any]) -> Mapping[str, Any]:
    _warn(str(error))
    return empty


@cache
def _warn(message: str) -> None:
    """Log a warning, once."""
    log.warning("%s", message)


def collect_runs(
    runs: Sequence[AnyRun] | AnyRun,
    tasks: Sequence[str] = (),
    rename: Mapping[str, str] | None = None,
) -> RunCollection:
    """Read finished runs.

    Args:
        runs: their folders, or the runs; or one of them.
        tasks: the tasks to show, in this order; all if empty.
        rename: encoder -> the name to show.

    Raises:
        ConfigError: a task or an encoder is in no run, or two encoders would have one name.
        StorageError: a folder is not a run folder.
    """
    several = [runs] if isinstance(runs, str | PathLike | StoredRun) else runs
    opened = [run if isinstance(run, StoredRun) else StoredRun(run) for run in several]
    scores, pairs = merge([run.scores for run in opened]), all_pairs(opened)
    for name in tasks:
        require_scores("task", name, scores["task"].unique())
    if tasks:
        order = scores["task"].map({name: place for place, name in enumerate(tasks)})
        scores = scores[order.notna()].iloc[order.dropna().argsort(kind="stable")]
    rename = rename or {}
    encoders = list(scores["encoder"].unique())
    for name in rename:
        require_scores("encoder", name, encoders)
    names = [rename.get(name, name) for name in encoders]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"two encoders would be called '{twice[0]}'; give each its own name")
    return RunCollection(
        opened,
        scores.assign(encoder=scores["encoder"].replace(rename)),
        pairs,
    )
