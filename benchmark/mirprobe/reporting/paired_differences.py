"""Paired differences: by how much one encoder is better than another on the same test tracks.

What both find hard cancels out, so that a difference is known better than either score: where the
intervals of two scores overlap, that of their difference may still lie on one side of zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import permutations
from typing import Any

import numpy as np
import pandas as pd

from mirprobe.api.task import Task
from mirprobe.core.annotations import from_json
from mirprobe.core.bootstrap import interval, mean, point, resampled
from mirprobe.core.schema import Annotations, Floats
from mirprobe.probing.selection import worth
from mirprobe.reporting.run_folder import DIFFERENCES

Cell = Mapping[str, Any]


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
        `reference`, each for the layer, source and decoding that validation prefers, over the `n`
        tracks that all encoders of the run could be scored on, with its 95 % bootstrap interval.
    """
    rows: list[dict[str, Any]] = []
    for name, task in tasks.items():
        chosen = {cell["encoder"]: _chosen(cell) for cell in cells if cell["task"] == name}
        keys = {cell["encoder"]: cell["key"] for cell in cells if cell["task"] == name}
        tracks = [set(one["tracks"]) for draws in chosen.values() for one in draws]
        ids = sorted(set.intersection(*tracks)) if len(chosen) > 1 else []
        if not ids:
            continue
        truth, n = [references[track] for track in ids], len(ids)
        counts = resampled(n)
        values: dict[str, tuple[float, Floats]] = {}
        for encoder, draws in chosen.items():
            estimates = [[from_json(one["tracks"][track]) for track in ids] for one in draws]
            statistic = mean([task.score(truth, one)[task.main_metric] for one in estimates])
            values[encoder] = point(statistic, n), np.asarray(statistic(counts))
        for encoder, reference in permutations(values, 2):
            (one, drawn), (other, others) = values[encoder], values[reference]
            low, high = interval(drawn - others, one - other)
            rows.append(
                {
                    "task": name,
                    "metric": task.main_metric,
                    "encoder": encoder,
                    "reference": reference,
                    "difference": one - other,
                    "low": low,
                    "high": high,
                    "n": n,
                    "cell": keys[encoder],
                    "reference_cell": keys[reference],
                }
            )
    return pd.DataFrame(rows, columns=DIFFERENCES)


def _chosen(cell: Cell) -> list[Mapping[str, Any]]:
    """The predictions, one a seed, of the layer, source and decoding that validation prefers."""
    validation: dict[str, list[float]] = {}
    for row in cell["scores"]:
        if row["kind"] == "probe" and row["selected"] and row["main"]:
            validation.setdefault(row["decoding"], []).append(worth(row["validation"]))
    best = max(validation, key=lambda decoding: np.mean(validation[decoding]))
    return [
        one
        for one in cell["predictions"]
        if one["kind"] == "probe" and one["selected"] and one["decoding"] == best
    ]
