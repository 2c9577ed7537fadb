"""Rows of `scores.csv` whose ranks are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace

import pandas as pd

from mirprobe.core.schema import Facts, Score

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


FACTS = Facts(5_377_536, 192, 31.25, "MIT", "")


def frame(rows: Sequence[Score], **facts: Facts) -> pd.DataFrame:
    """Scores as a run's table has them; of encoders without `facts`, those of `FACTS`."""
    table = [{**asdict(row), **asdict(facts.get(row.encoder, FACTS))} for row in rows]
    return pd.DataFrame(table).astype({"model_parameters": "Int64"})


def encoders(**values: float) -> list[Score]:
    return [replace(ROW, encoder=name, value=value) for name, value in values.items()]
