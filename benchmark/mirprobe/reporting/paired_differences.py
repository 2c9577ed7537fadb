"""Scores over all fitted probes of an encoder, and paired differences between two encoders.

The difficulty of a track affects both encoders. A paired difference therefore has a narrower
interval than the two scores: it may exclude zero although the intervals of the scores overlap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import permutations
from typing import Any

import pandas as pd

from mirprobe.api.task import Task, score_main
from mirprobe.core.confidence_intervals import Estimate, grid, jackknife, p_value
from mirprobe.core.errors import ConfigError
from mirprobe.core.schema import Track
from mirprobe.probing.results import Cell
from mirprobe.reporting.run_tables import DIFFERENCES


def differences(
    cells: Sequence[Cell], tasks: Mapping[str, Task], tracks: Mapping[str, Track]
) -> pd.DataFrame:
    """Compare all pairs of encoders of a run in each task, by its main metric.

    Args:
        cells: the finished cells of one run.
        tasks: name -> task.
        tracks: id -> test track.

    Returns:
        One row per ordered pair: `difference` is the value of `encoder` minus the value of
        `reference`, with its 95 % interval from `low` to `high` and its `p`. Each value is that of
        the layer, pooling and decoding selected on validation, over the `n` tracks on which the
        metric scores all encoders of the run. An encoder with several resamples, draws or seeds
        also has a row without a `reference` for each metric, with the mean over them and its
        interval, over its own tracks.

    Raises:
        ConfigError: a cell lacks a combination of its resamples, draws and seeds.
    """
    rows: list[dict[str, Any]] = []
    for name, task in tasks.items():
        compared = [cell for cell in cells if cell.task == name]
        for cell in compared:
            if len(cell.chosen()) > 1:
                ids = common_tracks([cell])
                for metric, (found, n) in estimates(cell, task, tracks, ids).items():
                    rows.append(difference_row(name, metric, cell, None, found, n))
        ids = common_tracks(compared)
        if len(compared) < 2 or not ids:
            continue
        main = task.main_metric
        values = [estimates(cell, task, tracks, ids, main)[main] for cell in compared]
        for (cell, (one, n)), (other, (two, _)) in permutations(
            zip(compared, values, strict=True), 2
        ):
            rows.append(difference_row(name, main, cell, other, one - two, n))
    return pd.DataFrame(rows, columns=DIFFERENCES)


def difference_row(
    task: str, metric: str, cell: Cell, reference: Cell | None, found: Estimate, n: int
) -> dict[str, Any]:
    """A row of `differences.csv`: the scores of a cell, minus those of a reference if it is given.

    Args:
        task: its name.
        metric: its name.
        cell: of the encoder.
        reference: of the other encoder.
        found: the score, or the difference.
        n: number of scored tracks.
    """
    interval = found.interval
    ends = interval.low, interval.high
    return {
        "task": task,
        "metric": metric,
        "encoder": cell.encoder,
        "reference": reference.encoder if reference else "",
        "difference": found.value,
        "low": interval.low,
        "high": interval.high,
        "n": n,
        "cell": cell.key,
        "reference_cell": reference.key if reference else "",
        "groups": found.groups,
        "interval": interval.text,
        "p": p_value(found.value, *ends, interval.df) if reference else float("nan"),
    }


def common_tracks(cells: Sequence[Cell]) -> list[str]:
    """The tracks for which the selected probes of all cells have a prediction."""
    tracks = [prediction.tracks for cell in cells for prediction in cell.chosen()]
    # in the order of the test split
    return [track for track in tracks[0] if all(track in one for one in tracks)] if tracks else []


def estimates(
    cell: Cell,
    task: Task,
    tracks: Mapping[str, Track],
    ids: Sequence[str],
    main: str | None = None,
) -> dict[str, tuple[Estimate, int]]:
    """The metrics of a cell, or its `main` one alone, over all selected probes.

    With each comes the number of tracks that it scores.
    """
    truth = [tracks[track].annotations for track in ids]
    groups = [tracks[track].group or track for track in ids]
    fits: dict[str, dict[tuple[int, int, int], Estimate]] = {}
    n: dict[str, int] = {}
    for one in cell.chosen():
        own = [one.tracks[track] for track in ids]
        scores = {main: score_main(task, truth, own)} if main else task.score(truth, own)
        for metric, statistic in scores.items():
            found = jackknife(statistic, groups)
            fits.setdefault(metric, {})[one.resample, one.draw, one.seed] = found
            n[metric] = statistic.tracks
    try:
        return {metric: (grid(own), n[metric]) for metric, own in fits.items()}
    except ValueError as error:
        raise ConfigError(f"{cell.encoder} x {cell.task}: {error}; run again") from error
