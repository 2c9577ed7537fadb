"""Linear probes on the tokens of a model, by layer and by pooling of the clip vector.

Global tasks are probed with all poolings (`source`) of the clip vector, local tasks on single
sequence tokens, both at all layers. Beside the
poolings of the harness there are `equal`, the mean of class token and mean sequence token with
equal weights, and `concat`, their concatenation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from mirprobe.api.dataset import Dataset
from mirprobe.api.encoder import Encoder
from mirprobe.api.registry import TASKS
from mirprobe.api.task import Task, score_main
from mirprobe.core.errors import MirprobeError
from mirprobe.core.schema import SPLITS, Score, Track
from mirprobe.data.tracks import limit_tracks
from mirprobe.emergence.models import (
    CONCAT,
    EQUAL,
    RANDOM,
    TRAINED,
    ModelSpec,
    WithClassToken,
)
from mirprobe.emergence.rows import ScoredRow, groups_of
from mirprobe.evaluation.config import RunConfig
from mirprobe.evaluation.runner import run
from mirprobe.evaluation.setup import make_task
from mirprobe.probing.results import Cell
from mirprobe.probing.selection import best_on_validation
from mirprobe.reporting.cell_file import read_cell

GLOBAL = ("tagging", "key")
LOCAL = ("chord", "beat")
PLAIN = "logmel"

COLUMNS = [
    "model", "seed", "task", "layer", "source", "decoding", "selected", "metric", "validation",
    "value", "low", "high", "n",
]  # fmt: skip


def annotated_tasks(dataset: Dataset, limit: int | None, tasks: Sequence[str]) -> list[str]:
    """The tasks for which the data set has annotations in every split."""
    splits = limit_tracks(dataset, limit, limit)

    def annotated(task: str) -> bool:
        field = getattr(TASKS.get(task), "annotation")  # noqa: B009
        given = (any(one.annotations.get(field) is not None for one in splits[s]) for s in SPLITS)
        return all(given) and (task != "tagging" or bool(dataset.tags))

    return [task for task in tasks if annotated(task)]


def probe(
    models: Sequence[ModelSpec], dataset: Dataset, config: RunConfig, folder: Path
) -> tuple[list[ScoredRow], dict[str, str]]:
    """Run the harness on global and on local tasks; finished cells are not computed again.

    Args:
        models: the model under study and random weights.
        dataset: the data set.
        config: cache, device, limit and the name of the data set.
        folder: gets the folders of the runs.

    Returns:
        The rows of `sources.csv`: all layers and sources of all models and of log-mel, over the
        test tracks that all of them have; and the tracks that could not be used with the reasons.

    Raises:
        MirprobeError: a cell failed.
    """
    found: list[ScoredRow] = []
    problems: dict[str, str] = {}
    for tasks, poolings in ((GLOBAL, (EQUAL, CONCAT)), (LOCAL, ())):
        names = annotated_tasks(dataset, config.limit, tasks)
        if not names:
            continue
        encoders: dict[str, Encoder] = {}
        known: dict[str, dict[str, Any]] = {}  # columns that the name of an encoder stands for
        for model in models:
            columns, encoder = {"model": model.name, "seed": model.seed}, model.encoder()
            encoders[spec(model)], known[spec(model)] = encoder, columns
            for pooling in poolings:
                name = spec(model, pooling)
                encoders[name] = WithClassToken(encoder, pooling)
                known[name] = {**columns, "source": pooling}
        known[PLAIN] = {"model": PLAIN, "seed": -1}
        own = replace(
            config,
            encoders=tuple(known),
            tasks=tuple(names),
            layers="all",
            probe="linear",
            preset="standard",
            seeds=(0,),
            results_dir=folder,
        )
        result = run(own, encoders=encoders, dataset=dataset)
        if result.failures:
            raise MirprobeError("; ".join(result.failures.values()))
        problems |= result.problems
        tracks = limit_tracks(dataset, config.limit, config.limit)["test"]
        for name in names:
            cells = [read_cell(result.folder.cell_path(encoder, name)) for encoder in known]
            usable = set.intersection(*(set(p.tracks) for c in cells for p in c.predictions))
            common = [track for track in tracks if track.id in usable]
            for cell, columns in zip(cells, known.values(), strict=True):
                found += _read(cell, columns, make_task(name, dataset), common)
    return found, problems


def spec(weights: ModelSpec, pooling: str = "") -> str:
    """The specification of a model as an encoder, with one of its poolings."""
    name = "vit1d" if weights.name == TRAINED else f"vit1d-{RANDOM}:seed={weights.seed}"
    return f"{pooling}({name})" if pooling else name


def _read(
    cell: Cell, columns: Mapping[str, Any], task: Task, tracks: Sequence[Track]
) -> Iterator[ScoredRow]:
    """The probes of one cell, each with the decoding that validation chose for it."""
    references, groups = [track.annotations for track in tracks], groups_of(tracks)
    predicted = {
        (one.layer, one.source, one.decoding): one.tracks
        for one in cell.predictions
        if one.kind == "probe"
    }
    by_variant: dict[tuple[str, str], dict[str, Score]] = {}
    for score in cell.scores:
        if score.kind == "probe" and score.main:
            by_variant.setdefault((score.layer, score.source), {})[score.decoding] = score
    for scores in by_variant.values():
        best = best_on_validation({name: [one.validation] for name, one in scores.items()})
        own = predicted[scores[best].layer, scores[best].source, best]
        estimates = [own[track.id] for track in tracks]
        statistic = partial(score_main, task, references, estimates)
        yield ScoredRow({**asdict(scores[best]), **columns}, groups, statistic)
