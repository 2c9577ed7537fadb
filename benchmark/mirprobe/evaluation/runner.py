"""A run: every encoder on every task, cell by cell; what is finished is never computed again."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from time import perf_counter
from typing import Any

import pandas as pd

from mirprobe.api.dataset import Dataset
from mirprobe.api.encoder import Encoder, info_columns
from mirprobe.api.specs import spec_name
from mirprobe.api.task import Task
from mirprobe.core.errors import ConfigError, EncoderError, StorageError, TrackError
from mirprobe.core.hashing import digest
from mirprobe.core.schema import SPLITS, Embedding, Level, Split, Track
from mirprobe.data.paths import joined_specs
from mirprobe.data.tracks import splits_hash
from mirprobe.encoders.combined import Pca
from mirprobe.evaluation.config import RunConfig
from mirprobe.evaluation.plan import Plan, planned
from mirprobe.evaluation.provenance import cell_key, describe
from mirprobe.evaluation.setup import make_task, require_complete
from mirprobe.probing.cell import Setup, run_cell
from mirprobe.probing.probes import probe_config
from mirprobe.reporting.paired_differences import differences
from mirprobe.reporting.run_folder import RunFolder

log = logging.getLogger(__name__)


@dataclass
class RunResult:
    """What came of a run.

    Attributes:
        folder: where it lies.
        scores: the rows of `scores.csv`.
        problems: track -> why it could not be used; such tracks are left out.
        failures: cell or encoder -> why it has no scores.
        computed: cells that were not finished already.
    """

    folder: RunFolder
    scores: pd.DataFrame = field(default_factory=pd.DataFrame)
    problems: dict[str, str] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    computed: int = 0


def run(
    config: RunConfig,
    *,
    encoders: Mapping[str, Encoder] | None = None,
    tasks: Mapping[str, Task] | None = None,
    dataset: Dataset | None = None,
) -> RunResult:
    """Score every encoder of `config` on each of its tasks.

    Args:
        config: what to do.
        encoders: instances to use for the names in `config.encoders` rather than the registry's.
        tasks: likewise.
        dataset: likewise, for what the configuration names.

    Raises:
        ConfigError: an unknown name, or a data set that cannot serve.
        TrackError: a track cannot be used and `config.strict` is set.
        StorageError: the cache or results folder cannot be written.
    """
    with planned(config, encoders=encoders, dataset=dataset) as plan:
        return _run(plan, tasks or {})


def _run(plan: Plan, tasks: Mapping[str, Task]) -> RunResult:
    config, built, layers = plan.config, plan.encoders, plan.layers
    wanted = {
        name: tasks[name] if name in tasks else make_task(name, plan.dataset)
        for name in config.tasks
    }
    require_complete(wanted, Task, "task")
    info = {spec: info_columns(spec, encoder) for spec, encoder in built.items()}
    result = RunResult(RunFolder(config.results_dir / run_name(config)))
    result.folder.make()
    plan.prepare()
    started, seconds = datetime.now(timezone.utc), {}
    cells: list[dict[str, Any]] = []
    for spec in built:
        begun, before = perf_counter(), result.computed
        cells.extend(_run_encoder(plan, result, spec, wanted))
        seconds[spec] = round(perf_counter() - begun, 1)
        if result.computed > before:
            result.folder.write_scores(cells, info)
    result.scores = result.folder.write_scores(cells, info)
    if result.computed or not (result.folder.path / "differences.csv").exists():
        truth = {track.id: track.annotations for track in plan.tracks["test"]}
        result.folder.write_differences(differences(cells, wanted, truth))
    if result.computed or not (result.folder.path / "run.json").exists():
        outcome = {
            "problems": result.problems,
            "failures": result.failures,
            "started": started.isoformat(timespec="seconds"),
            "seconds": seconds,
        }
        speeds = {spec: plan.speed(spec) for spec in built}
        described = describe(config, plan.tracks, plan.resources.device, built, layers, speeds)
        result.folder.write_splits(plan.tracks)
        result.folder.write_run({**described, **outcome})
    return result


def run_name(config: RunConfig) -> str:
    """The run's folder: the same for the same work, whatever the machine or the folders."""
    values = asdict(config)
    for name in ("device", "engine", "strict", "data_home", "cache_dir", "results_dir"):
        del values[name]
    for name in ("train_dataset", "test_dataset", "test_tracks"):
        if values[name] is None:  # runs on one data set are called what they always were
            del values[name]
    if config.precision == "32":  # likewise
        del values["precision"]
    sides = [
        "+".join(spec_name(part) for part in joined_specs(side))
        for side in config.data.split(" -> ")
    ]
    return f"{'-to-'.join(sides)}-{config.preset}-{config.probe}-{digest(values)[:8]}"


def _run_encoder(
    plan: Plan, result: RunResult, spec: str, tasks: Mapping[str, Task]
) -> list[dict[str, Any]]:
    """The finished cells of one encoder, in the order of the tasks."""
    config, encoder, layers = plan.config, plan.encoders[spec], plan.layers[spec]
    cells: dict[str, dict[str, Any]] = {}
    todo: dict[str, str] = {}
    for name, task in tasks.items():
        if task.level == "frame" and encoder.frame_rate is None:
            result.failures[f"{spec} x {name}"] = (
                f"task '{name}' needs frames, and encoder '{spec}' has none (frame_rate is None)"
            )
            continue
        try:
            key = cell_key(config, plan.tracks, plan.cache.hashes, encoder, task, layers)
        except (TypeError, ValueError) as error:
            result.failures[f"{spec} x {name}"] = (
                f"task '{name}' or encoder '{spec}' declares what JSON cannot hold: {error}"
            )
            continue
        cell = result.folder.read_cell(spec, name, key)
        if cell is None:
            todo[name] = key
        else:
            cells[name] = cell
    levels: list[Level] = sorted({tasks[name].level for name in todo})
    unusable: dict[str, str] = {}
    try:
        embedded = _embed(plan, result, spec, levels, unusable) if todo else {}
    except EncoderError as error:
        log.warning("%s", error)
        result.failures[spec] = str(error)
        todo = {}
    for name, key in todo.items():
        setup = Setup(
            layers=layers,
            sources=encoder.sources,
            frame_rate=encoder.frame_rate,
            config=probe_config(config.preset, config.probe),
            seeds=config.seeds,
            row={
                "encoder": spec,
                "task": name,
                "dataset": config.data,
                "probe": config.probe,
                "preset": config.preset,
                "fingerprint": encoder.fingerprint,
                "splits": splits_hash(plan.tracks),
                "cell": key,
            },
            components=encoder.dim if isinstance(encoder, Pca) else None,
        )
        try:
            found = run_cell(tasks[name], embedded, setup, bar=f"{spec} x {name}")
            # they stand in the cell, so that a later run that finds it finished reports them too
            found.problems.update(unusable)
            cells[name] = result.folder.write_cell(spec, name, key, found)
        except StorageError:
            raise
        except ConfigError as error:
            result.failures[f"{spec} x {name}"] = str(error)
            continue
        except Exception as error:  # a plug-in's mistake must not cost the other cells
            log.debug("task '%s'", name, exc_info=True)
            reason = f"task '{name}' raised {type(error).__name__}: {error}"
            result.failures[f"{spec} x {name}"] = f"{reason} (encoder '{spec}')"
            continue
        result.computed += 1
    for cell in cells.values():
        plan.note(result.problems, cell["problems"])
    return [cells[name] for name in tasks if name in cells]


def _embed(
    plan: Plan, result: RunResult, spec: str, levels: list[Level], unusable: dict[str, str]
) -> dict[Split, list[tuple[Track, Embedding]]]:
    """Every track's embedding; `unusable` is told of the tracks that have none, and why."""
    found: dict[str, Embedding] = {}
    embedder = plan.embedder(spec)
    for track, embedding in plan.bar(spec, embedder.embed(plan.every_track, levels)):
        if isinstance(embedding, TrackError):
            unusable[track.id] = str(embedding)
            plan.note(result.problems, unusable)
        else:
            found[track.id] = embedding
    plan.clock(embedder)
    return {
        split: [(track, found[track.id]) for track in plan.tracks[split] if track.id in found]
        for split in SPLITS
    }
