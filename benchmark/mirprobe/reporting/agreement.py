"""Whether two runs, such as those of two data sets, put the encoders in the same order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mirprobe.core.errors import ConfigError
from mirprobe.core.schema import Floats
from mirprobe.probing.selection import draw_groups
from mirprobe.reporting.leaderboard import is_supervised
from mirprobe.reporting.stored_run import StoredRun

DRAWS = 1000
MEAN_RANK = "mean rank"
COLUMNS = ["task", "encoders", "tau", "low", "high"]


def agreement(one: StoredRun, other: StoredRun) -> pd.DataFrame:
    """Kendall's tau-b of the order of the encoders in two runs, by main metric.

    Encoders that were trained with labels for a task are left out of it. The interval is that of a
    bootstrap of test groups (percentiles of `DRAWS` draws of each run, in which all encoders have
    the same tracks; runs on the same data have the same draws). Encoders, tasks and fitted probes
    are fixed. The noise of the draws lowers tau where encoders are close, so that the interval is
    rather low.

    Returns:
        One row per common task, and one of the mean ranks over these tasks if there are two or more
        (of the encoders with all of them): the columns task, encoders (their number), tau, low and
        high.

    Raises:
        ConfigError: the runs share no task with two encoders.
        StorageError: a run lacks its references, or a file is damaged.
    """
    rows, values = [], []
    # runs on the same test tracks have the same draws
    seed = int(set(one.scores["data"]) != set(other.scores["data"]))
    for task in one.tasks:
        own, theirs = _values(one, task, 0), _values(other, task, seed)
        names = [name for name in own if name in theirs]
        if len(names) < 2:
            continue
        values.append((own, theirs))
        rows.append((task, *_tau(*(np.array([v[n] for n in names]) for v in (own, theirs)))))
    if not rows:
        raise ConfigError(
            f"{one.path} and {other.path} share no task on which both rank the same two encoders"
        )
    everywhere = [name for name in values[0][0] if all(name in v for pair in values for v in pair)]
    if len(rows) > 1 and len(everywhere) > 1:
        ranks = [
            np.mean([_ranks(np.array([pair[side][n] for n in everywhere])) for pair in values], 0)
            for side in (0, 1)
        ]
        rows.append((MEAN_RANK, *_tau(*ranks)))
    return pd.DataFrame(rows, columns=COLUMNS)


def _values(run: StoredRun, task: str, seed: int) -> dict[str, Floats]:
    """The main metric of each ranked encoder: (1 + DRAWS,), the first of all tracks once."""
    rows = run.scores[(run.scores["task"] == task) & run.scores["main"]]
    if rows.empty:
        return {}
    metric = rows["metric"].iloc[0]
    places = {track: place for place, track in enumerate(run.dataset.tracks)}
    groups = [track.group or track.id for track in run.dataset.tracks.values()]
    counts = np.concatenate([np.ones((1, len(groups))), draw_groups(groups, DRAWS, seed)])
    found = {}
    for name, own in rows.groupby("encoder", sort=False):
        if is_supervised(own.iloc[0]):
            continue
        fits = run.statistics(str(name), task)
        columns = [places[track.id] for track in run.scored_tracks(str(name), task)]
        found[str(name)] = np.mean([fit[metric].resample(counts[:, columns]) for fit in fits], 0)
    return found


def _ranks(values: Floats) -> Floats:
    """Ranks (encoders, draws) of values; negative, so that more is better."""
    from scipy.stats import rankdata  # a second to import

    return -np.asarray(rankdata(-values, axis=0))


def _tau(one: Floats, other: Floats) -> Sequence[float]:
    """Number of encoders, tau and its interval; values (encoders, 1 + draws)."""
    from scipy.stats import kendalltau

    found = np.array(
        [
            kendalltau(a, b, nan_policy="propagate").statistic
            for a, b in zip(one.T, other.T, strict=True)
        ]
    )
    drawn = found[1:][~np.isnan(found[1:])]  # undefined where all encoders are equal
    low, high = np.quantile(drawn, (0.025, 0.975)) if len(drawn) else (np.nan, np.nan)
    return len(one), float(found[0]), float(low), float(high)
