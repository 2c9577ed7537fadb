"""What linear probes find in the tokens: the harness itself, read layer by layer and by source.

Global tasks are probed at all layers and from all sources of a clip-level vector, local ones on
single sequence tokens at a third, two thirds and the whole of the way up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import inf
from pathlib import Path
from typing import Any

from mirprobe.api.dataset import Dataset
from mirprobe.api.encoder import Encoder
from mirprobe.api.registry import TASKS
from mirprobe.api.task import Task
from mirprobe.core.annotations import from_json
from mirprobe.core.bootstrap import Statistic
from mirprobe.core.errors import MirprobeError
from mirprobe.core.schema import SPLITS, Annotations
from mirprobe.data.tracks import limit_tracks
from mirprobe.emergence.models import RANDOM, TRAINED, ModelSpec
from mirprobe.evaluation.config import RunConfig
from mirprobe.evaluation.runner import RunResult, run
from mirprobe.evaluation.setup import make_task
from mirprobe.reporting.run_folder import read_cell

GLOBAL = ("tagging", "key")
LOCAL = ("chord", "beat")
PLAIN = "logmel"
LOCAL_CONTROLS = 1  # seeds of random weights that local tasks are probed on: frames are many

COLUMNS = [
    "model", "seed", "task", "layer", "source", "decoding", "selected", "metric", "validation",
    "value", "low", "high", "n",
]  # fmt: skip


@dataclass(frozen=True, eq=False)
class ProbeResult:
    """One layer and source in one task: a row of `sources.csv`, and what was predicted.

    Attributes:
        row: of the table.
        task: that scores.
        references: of the test tracks.
        estimates: likewise, in the same order.
    """

    row: Mapping[str, Any]
    task: Task
    references: Sequence[Annotations]
    estimates: Sequence[Annotations]

    @cached_property
    def statistic(self) -> Statistic:
        """The task's main metric."""
        return self.task.score(self.references, self.estimates)[self.task.main_metric]


def annotated_tasks(dataset: Dataset, limit: int | None, tasks: Sequence[str]) -> list[str]:
    """Those of the tasks that the data set has annotations for, in every split."""
    wanted = {task: getattr(TASKS.get(task), "annotation") for task in tasks}  # noqa: B009
    splits = limit_tracks(dataset, limit)
    return [
        task
        for task in tasks
        if all(
            any(getattr(track.annotations, wanted[task]) is not None for track in splits[split])
            for split in SPLITS
        )
        and (task != "tagging" or dataset.tags)
    ]


def probe(
    trained: ModelSpec,
    controls: Sequence[ModelSpec],
    dataset: Dataset,
    config: RunConfig,
    folder: Path,
) -> tuple[list[ProbeResult], dict[str, str]]:
    """Run the harness twice, on global and on local tasks; finished cells are read again.

    Args:
        trained: the model under study.
        controls: random weights.
        dataset: what it is studied on.
        config: cache, device, limit and the data set's name.
        folder: where the runs go.

    Returns:
        The rows of all layers and sources, and the tracks that could not be used and why.

    Raises:
        MirprobeError: a cell failed.
    """
    found: list[ProbeResult] = []
    problems: dict[str, str] = {}
    parts = (
        (GLOBAL, "all", [trained, *controls], ()),
        (LOCAL, "thirds", [trained, *controls[:LOCAL_CONTROLS]], (PLAIN,)),
    )
    for tasks, layers, models, plain in parts:
        names = annotated_tasks(dataset, config.limit, tasks)
        if not names:
            continue
        encoders: dict[str, Encoder] = {spec(model): model.encoder() for model in models}
        own = replace(
            config,
            encoders=(*encoders, *plain),
            tasks=tuple(names),
            layers=layers,
            probe="linear",
            preset="standard",
            seeds=(0,),
            results_dir=folder,
        )
        result = run(own, encoders=encoders, dataset=dataset)
        if result.failures:
            raise MirprobeError("; ".join(result.failures.values()))
        problems |= result.problems
        known = {spec(model): (model.name, model.seed) for model in models}
        known |= {name: (name, -1) for name in plain}
        for name in names:
            task = make_task(name, dataset)
            tracks = limit_tracks(dataset, config.limit)["test"]
            references = {track.id: track.annotations for track in tracks}
            for encoder, model in known.items():
                found += _read(result, encoder, model, task, references)
    return found, problems


def spec(weights: ModelSpec) -> str:
    """What the harness calls a model."""
    return "vit1d" if weights.name == TRAINED else f"vit1d-{RANDOM}:seed={weights.seed}"


def _read(
    result: RunResult,
    encoder: str,
    model: tuple[str, int],
    task: Task,
    references: Mapping[str, Annotations],
) -> list[ProbeResult]:
    """The probes of one cell; of several decodings the one that validation prefers."""
    scores = result.scores
    rows = scores[
        (scores["encoder"] == encoder)
        & (scores["task"] == task.name)
        & (scores["kind"] == "probe")
        & scores["main"]
    ]
    # what validation cannot tell (NaN) is worse than anything it can
    rows = rows.assign(worth=rows["validation"].fillna(-inf))
    best = rows.loc[rows.groupby(["layer", "source"], sort=False)["worth"].idxmax()]
    preferred = best["worth"].idxmax()
    cell = read_cell(result.folder.cell_path(encoder, task.name))
    predicted = {
        (one["layer"], one["source"], one["decoding"]): one["tracks"]
        for one in cell["predictions"]
        if one["kind"] == "probe"
    }
    found = []
    for index, row in best.iterrows():
        tracks = predicted[row["layer"], row["source"], row["decoding"]]
        ids = sorted(tracks)
        values = {
            **{name: row[name] for name in COLUMNS if name in row},
            "model": model[0],
            "seed": model[1],
            "selected": index == preferred,
        }
        found.append(
            ProbeResult(
                {column: values[column] for column in COLUMNS},
                task,
                [references[track] for track in ids],
                [from_json(tracks[track]) for track in ids],
            )
        )
    return found
