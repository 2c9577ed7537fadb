"""Linear probes on the tokens of a model, by layer and by pooling of the clip vector.

Global tasks are probed at all layers and with all poolings (`source`) of the clip vector, local
tasks on single sequence tokens at one third, two thirds and the end of the layers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from mirprobe.api.dataset import Dataset
from mirprobe.api.encoder import Encoder
from mirprobe.api.registry import TASKS
from mirprobe.api.task import Task, score_main
from mirprobe.core.bootstrap import Statistic
from mirprobe.core.errors import MirprobeError
from mirprobe.core.schema import SPLITS, Annotations, Score
from mirprobe.data.tracks import limit_tracks
from mirprobe.emergence.models import RANDOM, TRAINED, ModelSpec
from mirprobe.evaluation.config import RunConfig
from mirprobe.evaluation.runner import run
from mirprobe.evaluation.setup import make_task
from mirprobe.probing.results import Cell
from mirprobe.probing.selection import best_on_validation
from mirprobe.reporting.run_folder import read_cell

GLOBAL = ("tagging", "key")
LOCAL = ("chord", "beat")
PLAIN = "logmel"
LOCAL_CONTROLS = 1  # seeds of random weights probed in local tasks, which have many frames

COLUMNS = [
    "model", "seed", "task", "layer", "source", "decoding", "selected", "metric", "validation",
    "value", "low", "high", "n",
]  # fmt: skip


@dataclass(frozen=True, eq=False)
class ProbeResult:
    """One layer and source in one task: a row of `sources.csv`, and its predictions.

    Attributes:
        row: of the table.
        task: the task.
        references: annotations of the test tracks.
        estimates: predicted annotations, in the same order.
    """

    row: dict[str, Any]
    task: Task
    references: Sequence[Annotations]
    estimates: Sequence[Annotations]

    @cached_property
    def statistic(self) -> Statistic:
        """The task's main metric."""
        return score_main(self.task, self.references, self.estimates)

    @property
    def count(self) -> int:
        """Number of test tracks."""
        return len(self.references)


def annotated_tasks(dataset: Dataset, limit: int | None, tasks: Sequence[str]) -> list[str]:
    """The tasks for which the data set has annotations in every split."""
    splits = limit_tracks(dataset, limit)

    def annotated(task: str) -> bool:
        field = getattr(TASKS.get(task), "annotation")  # noqa: B009
        given = (any(one.annotations.get(field) is not None for one in splits[s]) for s in SPLITS)
        return all(given) and (task != "tagging" or bool(dataset.tags))

    return [task for task in tasks if annotated(task)]


def probe(
    trained: ModelSpec,
    controls: Sequence[ModelSpec],
    dataset: Dataset,
    config: RunConfig,
    folder: Path,
) -> tuple[list[ProbeResult], dict[str, str]]:
    """Run the harness on global and on local tasks; finished cells are not computed again.

    Args:
        trained: the model under study.
        controls: random weights.
        dataset: the data set.
        config: cache, device, limit and the name of the data set.
        folder: gets the folders of the runs.

    Returns:
        The rows of all layers and sources, and the tracks that could not be used with the reasons.

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
            for encoder, (model, seed) in known.items():
                cell = read_cell(result.folder.cell_path(encoder, name))
                found += _read(cell, {"model": model, "seed": seed}, task, references)
    return found, problems


def spec(weights: ModelSpec) -> str:
    """The specification of a model as an encoder."""
    return "vit1d" if weights.name == TRAINED else f"vit1d-{RANDOM}:seed={weights.seed}"


def _read(
    cell: Cell, model: Mapping[str, Any], task: Task, references: Mapping[str, Annotations]
) -> Iterator[ProbeResult]:
    """The probes of one cell, each with the decoding that validation chose for it."""
    predicted = {
        (one.layer, one.source, one.decoding): one.tracks
        for one in cell.predictions
        if one.kind == "probe"
    }
    by_variant: dict[tuple[str, str], dict[str, Score]] = {}
    for score in cell.scores:
        if score.kind == "probe" and score.main:
            by_variant.setdefault((score.layer, score.source), {})[score.decoding] = score
    best = [
        scores[best_on_validation({name: [one.validation] for name, one in scores.items()})]
        for scores in by_variant.values()
    ]
    for score in best:
        tracks = predicted[score.layer, score.source, score.decoding]
        ids = sorted(tracks)
        row = {**asdict(score), **model}
        yield ProbeResult(row, task, [references[i] for i in ids], [tracks[i] for i in ids])
