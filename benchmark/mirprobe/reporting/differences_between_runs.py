"""Paired differences between encoders of different runs, as `differences.csv` has them of one."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import combinations

import pandas as pd

from mirprobe.core.errors import MirprobeError
from mirprobe.reporting.compare import Entry, entries, pair, unlike
from mirprobe.reporting.leaderboard import read_pairs
from mirprobe.reporting.paired_differences import difference_row
from mirprobe.reporting.run_tables import DIFFERENCES
from mirprobe.reporting.stored_run import StoredRun

log = logging.getLogger(__name__)


def all_pairs(runs: Sequence[StoredRun]) -> pd.DataFrame:
    """The differences of several runs, and those between encoders of two of them.

    The latter are computed from predictions, where data, probe and preset are equal. A warning says
    which ones are missing and why.

    Raises:
        StorageError: a file is damaged.
    """
    known = read_pairs([run.root for run in runs])
    rows = []
    for one, other in combinations(entries(runs) if len(runs) > 1 else [], 2):
        if one.run is other.run or one.row["task"] != other.row["task"] or unlike(one, other):
            continue
        try:
            rows += _both_ways(one, other)
        except MirprobeError as error:
            names = f"'{one.name}' and '{other.name}' on {one.row['task']}"
            log.warning("no paired difference between %s: %s", names, error)
    if not rows:
        return known
    return pd.concat([known, pd.DataFrame(rows, columns=DIFFERENCES)], ignore_index=True)


def _both_ways(one: Entry, other: Entry) -> list[dict[str, object]]:
    found, cells = pair(one, other), (one.cell, other.cell)
    name, main, (first, second) = str(one.row["task"]), found.task.main_metric, found.scores
    return [
        difference_row(name, main, *cells, first - second, found.n),
        difference_row(name, main, *cells[::-1], second - first, found.n),
    ]
