"""A cell with a probe and chance, as a run stores it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from helpers.score_rows import NAN, ROW

from mirprobe.api.encoder import INFO_COLUMNS
from mirprobe.core.schema import Annotations, Segments
from mirprobe.probing.results import Cell, Prediction

PROBE = replace(
    ROW,
    encoder="vit1d-random:seed=1,config=vit1d-rope",
    decoding="viterbi",
    parameters='{"self_transition": 0.9}',
    learning_rate=0.003,
    value=0.1 + 0.2,
    low=0.25,
    high=0.75,
    conditions="trim=5.0",
    weight_decay=0.01,
    steps=120,
    converged=True,
    edge="training,jump_cost",
    fixed="middle,last",
    wins=0.61,
)


INFO = {
    PROBE.encoder: dict(
        zip(INFO_COLUMNS, (7_087_488, 192, 31.25, "MIT", "key tempo", ""), strict=True)
    )
}


CHANCE = replace(
    PROBE,
    kind="chance",
    layer="",
    source="",
    learning_rate=NAN,
    weight_decay=NAN,
    conditions="",
    fixed="",
    wins=NAN,
)


ESTIMATE = Annotations(chords=Segments(np.array([[0.0, 1.5]]), ("C:maj",)), tags={"rock": 0.5})


PREDICTION = Prediction(
    kind="probe",
    layer="12",
    source="sequence",
    decoding="viterbi",
    parameters='{"self_transition": 0.9}',
    learning_rate=0.003,
    seed=0,
    selected=True,
    tracks={"one": Annotations(key="C major"), "three": ESTIMATE},
)


CELL = Cell(
    key="k",
    encoder="e",
    task="key",
    scores=[PROBE, CHANCE],
    predictions=[PREDICTION],
    problems={"two": "is silent"},
)
