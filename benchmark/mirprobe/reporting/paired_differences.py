"""Paired differences: by how much one encoder is better than another on the same test tracks.

The difficulty of a track affects both encoders, so a paired difference has a narrower interval than
the two scores: where the intervals of two scores overlap, that of their difference may exclude
zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import permutations
from typing import Any

import pandas as pd

from mirprobe.api.task import Task
from mirprobe.core.bootstrap import Counted, mean, resample, scored_tracks
from mirprobe.core.schema import Annotations
from mirprobe.probing.results import Cell
from mirprobe.reporting.run_folder import DIFFERENCES


def differences(
    cells: Sequence[Cell], tasks: Mapping[str, Task], references: Mapping[str, Annotations]
) -> pd.DataFrame:
    """Compare the encoders of a run with each other in each task, by its main metric.

    Args:
        cells: finished ones of one run.
        tasks: by name.
        references: annotations of the test tracks, by id.

    Returns:
        One row for each ordered pair: `difference` is the value of `encoder` minus that of
        `reference`, each for the layer, source and decoding that validation chose, over the `n`
        tracks on which the metric scores all encoders of the run, with its 95 % bootstrap interval.
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
    """The tracks for which the chosen probes of all cells have a prediction."""
    tracks = [prediction.tracks for cell in cells for prediction in cell.chosen()]
    # in the order of the test split, in which they were scored
    return [track for track in tracks[0] if all(track in one for one in tracks)] if tracks else []


def _statistic(
    cell: Cell, task: Task, references: Mapping[str, Annotations], ids: Sequence[str]
) -> Counted:
    """The main metric of a cell, averaged over the seeds of the chosen probe."""
    truth = [references[track] for track in ids]
    return mean(
        [
            task.score(truth, [prediction.tracks[track] for track in ids])[task.main_metric]
            for prediction in cell.chosen()
        ]
    )
