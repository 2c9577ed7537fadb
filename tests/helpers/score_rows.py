"""Rows of `scores.csv` whose ranks are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import pandas as pd

from mirprobe.api.encoder import INFO_COLUMNS
from mirprobe.core.schema import Score

NAN = float("nan")
ROW = Score(
    encoder="one",
    task="key",
    dataset="studio",
    kind="probe",
    layer="12",
    source="sequence",
    probe="linear",
    preset="standard",
    decoding="argmax",
    parameters="{}",
    learning_rate=1e-3,
    seed=0,
    selected=True,
    validation=0.5,
    metric="mirex",
    main=True,
    value=0.5,
    low=0.4,
    high=0.6,
    n=72,
    conditions="",
    fingerprint="f",
    splits="s",
    cell="k",
)


INFO: dict[str, Any] = dict(zip(INFO_COLUMNS, (5_377_536, 192, 31.25, "MIT", "", ""), strict=True))


def frame(rows: Sequence[Score], **info: dict[str, Any]) -> pd.DataFrame:
    """Scores as a run's table has them; of encoders without `info`, `INFO`."""
    table = [{**asdict(row), **info.get(row.encoder, INFO)} for row in rows]
    return pd.DataFrame(table).astype({"model_parameters": "Int64"})


def encoders(**values: float) -> list[Score]:
    return [replace(ROW, encoder=name, value=value) for name, value in values.items()]
