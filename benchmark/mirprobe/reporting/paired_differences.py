"""Paired differences between the scores of two encoders on the same test tracks.

The difficulty of a track affects both encoders. A paired difference therefore has a narrower
interval than the two scores: it may exclude zero although the intervals of the scores overlap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import permutations
from typing import Any

import pandas as pd

from mirprobe.api.task import Task, score_main
from mirprobe.core.bootstrap import Counted, mean, resample, scored_tracks
from mirprobe.core.schema import Annotations
from mirprobe.probing.results import Cell
from mirprobe.reporting.run_folder import DIFFERENCES


def differences(
    cells: Sequence[Cell], tasks: Mapping[str, Task], references: Mapping[str, Annotations]
) -> pd.DataFrame:
    """Compare all pairs of encoders of a run in each task, by its main metric.

    Args:
        cells: the finished cells of one run.
        tasks: name -> task.
        references: id of a test track -> its annotations.

    Returns:
        One row per ordered pair. `difference` is the value of `encoder` minus the value of
        `reference`, with its 95 % bootstrap interval from `low` to `high`. Each value is that of
        the layer, pooling and decoding selected on validation, over the `n` tracks on which the
        metric scores all encoders of the run.
    """
    rows: list[dict[str, Any]] = []
    for name, task in tasks.items():
        compared = [cell for cell in cells if cell.task == name]
        ids = _common_tracks(compared)
        if len(compared) < 2 or not ids:
            continue
        statistics = [_statistic(cell, task, references, ids) for cell in compared]
        values = [resample(statistic, len(ids)) for statistic in statistics]
        n = scored_tracks(statistics[0], len(ids))
        pairs = permutations(zip(compared, values, strict=True), 2)
        for (cell, value), (reference, reference_value) in pairs:
            difference = value - reference_value
            low, high = difference.interval
            rows.append(
                {
                    "task": name,
                    "metric": task.main_metric,
                    "encoder": cell.encoder,
                    "reference": reference.encoder,
                    "difference": difference.value,
                    "low": low,
                    "high": high,
                    "n": n,
                    "cell": cell.key,
                    "reference_cell": reference.key,
                }
            )
    return pd.DataFrame(rows, columns=DIFFERENCES)


def _common_tracks(cells: Sequence[Cell]) -> list[str]:
    """The tracks for which the selected probes of all cells have a prediction."""
    tracks = [prediction.tracks for cell in cells for prediction in cell.chosen()]
    # in the order of the test split
    return [track for track in tracks[0] if all(track in one for one in tracks)] if tracks else []


def _statistic(
    cell: Cell, task: Task, references: Mapping[str, Annotations], ids: Sequence[str]
) -> Counted:
    """The main metric of a cell, averaged over the seeds of the selected probe."""
    truth = [references[track] for track in ids]
    return mean(
        [
            score_main(task, truth, [prediction.tracks[track] for track in ids])
            for prediction in cell.chosen()
        ]
    )
