"""Folders of finished runs with made-up scores, to be shown by pages, tables and figures."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
from helpers.score_rows import INFO, ROW

from mirprobe.core.schema import Annotations, Beats, Segments, Track
from mirprobe.metrics.chord import LABELS
from mirprobe.metrics.key import KEYS
from mirprobe.probing.results import Cell, Prediction
from mirprobe.reporting.reference_annotations import REFERENCES, references_bytes
from mirprobe.reporting.run_folder import RunFolder
from mirprobe.reporting.run_tables import DIFFERENCES

METRICS = {"key": "mirex", "chord": "majmin", "beat": "f_measure", "tagging": "roc_auc"}
TAGS = ("rock", "<b>jazz</b>", "$folk$")
EVIL = "<script>document.title='evil'</script>"
TRACKS = 12
INTERVAL = "studentised over test tracks of these fitted probes"
LAYERS = ("4", "8", "12")


def annotation(task: str, rng: np.random.Generator) -> Annotations:
    """A random annotation of a task; of an unknown task, a key."""
    if task == "chord":
        edges = np.arange(0.0, 9.0, 1.0)
        labels = tuple(rng.choice(LABELS, 8).tolist())
        return Annotations(chords=Segments(np.stack([edges[:-1], edges[1:]], 1), labels))
    if task == "beat":
        return Annotations(beats=Beats(np.arange(0.2, 8.0, 0.5) + rng.uniform(0, 0.2)))
    if task == "tagging":
        return Annotations(tags=dict(zip(TAGS, rng.uniform(size=len(TAGS)).tolist(), strict=True)))
    return Annotations(key=str(rng.choice(KEYS)))


def write_run(
    path: Path,
    encoders: Sequence[str] = ("vit1d", "chroma", EVIL),
    tasks: Sequence[str] = tuple(METRICS),
    tracks: int = TRACKS,
    seed: int = 0,
    undefined: Collection[tuple[str, str]] = (),
) -> Path:
    """Write the folder of a run; values and predictions are random.

    The scores of the encoders and tasks `undefined` are NaN.
    """
    rng = np.random.default_rng(seed)
    folder = RunFolder(path)
    folder.make()
    cells = []
    rows = []
    for task in tasks:
        metric = METRICS.get(task, "accuracy")
        for encoder in encoders:
            values = rng.uniform(0.3, 0.9, len(LAYERS))
            if (encoder, task) in undefined:
                values[:] = np.nan
            key = f"{encoder}-{task}-{seed}"
            row = replace(
                ROW, encoder=encoder, task=task, metric=metric, n=tracks, cell=key,
                fingerprint=f"{encoder}-weights", groups=tracks, interval=INTERVAL, data="d",
            )  # fmt: skip
            scores = [
                replace(
                    row, layer=layer, selected=layer == "12", validation=value,
                    value=value, low=value - 0.1, high=value + 0.1,
                )
                for layer, value in zip(LAYERS, values.tolist(), strict=True)
            ]  # fmt: skip
            controls = {"shuffled": 0.2, "chance": 0.15, "ceiling": 0.99}
            scores += [
                replace(row, kind=kind, selected=False, value=value)
                for kind, value in controls.items()
            ]
            ids = [f"track-{number}" for number in range(tracks)]
            prediction = Prediction(
                "probe", "12", "sequence", "argmax", "{}", 0.1, 0, True,
                {name: annotation(task, rng) for name in ids},
            )  # fmt: skip
            cells.append(Cell(key, encoder, task, scores, [prediction]))
        found = {cell.encoder: cell for cell in cells if cell.task == task}
        for one, other in permutations(found, 2):
            gap = found[one].scores[2].value - found[other].scores[2].value
            p = float(np.exp(-20 * abs(gap)))
            rows.append(
                (task, metric, one, other, gap, gap - 0.1, gap + 0.1, tracks,
                 found[one].key, found[other].key, tracks, INTERVAL, p)
            )  # fmt: skip
    for cell in cells:
        folder.write_cell(cell)
    folder.write_scores(cells, dict.fromkeys(encoders, INFO))
    folder.write_differences(pd.DataFrame(rows, columns=DIFFERENCES))
    described = {
        "config": {"dataset": "studio", "encoders": list(encoders), "pca": None},
        "encoders": {name: {"fingerprint": "f", "speed": 10.0 + len(name)} for name in encoders},
        "versions": {"python": "3.11"},
        "problems": {"track-99": "is <silent>"},
        "failures": {},
    }
    (path / "run.json").write_text(json.dumps(described))
    truths = [annotation(task, rng) for task in METRICS for _ in range(tracks)]
    names = sorted({name for one in truths for name in one.given()})
    tracks_of = [
        Track(
            ids[n],
            Path(),
            ids[n],
            Annotations(**{k: v for one in truths[n::tracks] for k, v in one.given().items()}),
        )
        for n in range(tracks)
    ]
    data: Any = SimpleNamespace(name="studio", tags=TAGS, trim=0.0, vocabularies={})
    (path / REFERENCES).write_bytes(references_bytes(data, tracks_of, names))
    return path
