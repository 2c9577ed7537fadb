"""A run: every encoder on every task, cell by cell; a finished cell is never computed again."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from time import perf_counter

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
from mirprobe.evaluation.config import RunConfig
from mirprobe.evaluation.plan import Plan, planned
from mirprobe.evaluation.provenance import cell_key, describe
from mirprobe.evaluation.setup import ProbedEncoder, make_task, require_complete
from mirprobe.probing.cell import ProbeRun, run_cell
from mirprobe.probing.probes import probe_config
from mirprobe.probing.results import Cell
from mirprobe.reporting.paired_differences import differences
from mirprobe.reporting.run_folder import RunFolder

log = logging.getLogger(__name__)


@dataclass
class RunResult:
    """The outcome of a run.

    Attributes:
        folder: the run's folder.
        scores: the rows of `scores.csv`.
        problems: track -> why it could not be used; such tracks are left out.
        failures: cell or encoder -> why it has no scores.
        computed: number of cells that were not finished before.
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
        config: the configuration.
        encoders: instances to use for specifications rather than the registry's.
        tasks: instances to use for names rather than the registry's.
        dataset: an instance to use rather than the registry's.

    Raises:
        ConfigError: an unknown name, or an unsuitable data set.
        TrackError: a track cannot be used and `config.strict` is set.
        StorageError: the cache or results folder cannot be written.
    """
    with planned(config, encoders=encoders, dataset=dataset) as plan:
        return _run(plan, tasks or {})


def _run(plan: Plan, instances: Mapping[str, Task]) -> RunResult:
    config = plan.config
    tasks = {
        name: instances[name] if name in instances else make_task(name, plan.dataset)
        for name in config.tasks
    }
    require_complete(tasks, Task, "task")
    info = {
        name: {**info_columns(probed.base_name, probed.encoder), "dim": probed.dim}
        for name, probed in plan.encoders.items()
    }
    result = RunResult(RunFolder(config.results_dir / run_name(config)))
    result.folder.make()
    plan.prepare()
    started, seconds = datetime.now(timezone.utc), {}
    cells: list[Cell] = []
    for name, probed in plan.encoders.items():
        begun, before = perf_counter(), result.computed
        cells.extend(_run_encoder(plan, result, probed, tasks))
        seconds[name] = round(perf_counter() - begun, 1)
        if result.computed > before:
            result.folder.write_scores(cells, info)
    result.scores = result.folder.write_scores(cells, info)
    if result.computed or not (result.folder.path / "differences.csv").exists():
        truth = {track.id: track.annotations for track in plan.tracks["test"]}
        result.folder.write_differences(differences(cells, tasks, truth))
    if result.computed or not (result.folder.path / "run.json").exists():
        outcome = {
            "problems": result.problems,
            "failures": result.failures,
            "started": started.isoformat(timespec="seconds"),
            "seconds": seconds,
        }
        speeds = {name: plan.speed(probed) for name, probed in plan.encoders.items()}
        described = describe(config, plan.tracks, plan.resources.device, plan.encoders, speeds)
        result.folder.write_splits(plan.tracks)
        result.folder.write_run({**described, **outcome})
    return result


def run_name(config: RunConfig) -> str:
    """Name of the run's folder; it depends on the work, not on the machine or on folders."""
    values = asdict(config)
    for name in ("device", "engine", "strict", "data_home", "cache_dir", "results_dir"):
        del values[name]
    sides = [
        "+".join(spec_name(part) for part in joined_specs(side))
        for side in config.data.split(" -> ")
    ]
    return f"{'-to-'.join(sides)}-{config.preset}-{config.probe}-{digest(values)[:8]}"


def _run_encoder(
    plan: Plan, result: RunResult, probed: ProbedEncoder, tasks: Mapping[str, Task]
) -> list[Cell]:
    """The finished cells of one encoder, in the order of the tasks."""
    keys = _cell_keys(plan, result, probed, tasks)
    found = {name: result.folder.read_cell(probed.name, name, key) for name, key in keys.items()}
    cells = {name: cell for name, cell in found.items() if cell is not None}
    missing = [name for name in keys if name not in cells]
    if missing:
        levels = sorted({tasks[name].level for name in missing})
        try:
            tracks, unusable = _embed(plan, result, probed, levels)
        except EncoderError as error:
            log.warning("%s", error)
            result.failures[probed.name] = str(error)
            missing = []
    for name in missing:
        run = _probe_run(plan, probed, name, keys[name])
        cell = _compute(result, tasks[name], run, tracks)
        if cell is not None:
            # kept in the cell, so that a later run that reads it reports these tracks too
            cell.problems.update(unusable)
            cells[name] = result.folder.write_cell(cell)
            result.computed += 1
    for cell in cells.values():
        plan.add_problems(result.problems, cell.problems)
    return [cells[name] for name in tasks if name in cells]


def _cell_keys(
    plan: Plan, result: RunResult, probed: ProbedEncoder, tasks: Mapping[str, Task]
) -> dict[str, str]:
    """The cell key of each task that the encoder can serve; the others become failures."""
    keys = {}
    for name, task in tasks.items():
        failure = f"{probed.name} x {name}"
        if task.level == "frame" and probed.encoder.frame_rate is None:
            result.failures[failure] = (
                f"task '{name}' needs frames, and encoder '{probed.name}' has none (frame_rate is "
                "None)"
            )
            continue
        try:
            keys[name] = cell_key(plan.config, plan.tracks, plan.cache.hashes, probed, task)
        except (TypeError, ValueError) as error:
            result.failures[failure] = (
                f"task '{name}' or encoder '{probed.name}' declares a value that JSON cannot hold: "
                f"{error}"
            )
    return keys


def _embed(
    plan: Plan, result: RunResult, probed: ProbedEncoder, levels: list[Level]
) -> tuple[dict[Split, list[tuple[Track, Embedding]]], dict[str, str]]:
    """The tracks of each split with their embeddings, and the unusable tracks with the reasons."""
    found: dict[str, Embedding] = {}
    unusable: dict[str, str] = {}
    embedder = plan.embedder(probed)
    embedded = embedder.embed(plan.every_track, levels)
    for track, embedding in plan.progress(probed.name, embedded):
        if isinstance(embedding, TrackError):
            unusable[track.id] = str(embedding)
            plan.add_problems(result.problems, unusable)
        else:
            found[track.id] = embedding
    plan.measure_throughput(embedder)
    tracks: dict[Split, list[tuple[Track, Embedding]]] = {
        split: [(track, found[track.id]) for track in plan.tracks[split] if track.id in found]
        for split in SPLITS
    }
    return tracks, unusable


def _probe_run(plan: Plan, probed: ProbedEncoder, task: str, key: str) -> ProbeRun:
    config = plan.config
    return ProbeRun(
        layers=probed.layers,
        sources=probed.encoder.sources,
        frame_rate=probed.encoder.frame_rate,
        config=probe_config(config.preset, config.probe),
        seeds=config.seeds,
        row={
            "encoder": probed.name,
            "task": task,
            "dataset": config.data,
            "probe": config.probe,
            "preset": config.preset,
            "fingerprint": probed.fingerprint,
            "splits": splits_hash(plan.tracks),
            "cell": key,
        },
        components=probed.components,
    )


def _compute(
    result: RunResult,
    task: Task,
    run: ProbeRun,
    tracks: Mapping[Split, list[tuple[Track, Embedding]]],
) -> Cell | None:
    """A new cell; None if it fails, which is noted in the result."""
    encoder, name = run.row["encoder"], run.row["task"]
    try:
        return run_cell(task, tracks, run, progress=f"{encoder} x {name}")
    except StorageError:
        raise
    except ConfigError as error:
        reason = str(error)
    except Exception as error:  # a mistake in one plug-in must not stop the other cells
        log.debug("task '%s'", name, exc_info=True)
        reason = f"task '{name}' raised {type(error).__name__}: {error} (encoder '{encoder}')"
    result.failures[f"{encoder} x {name}"] = reason
    return None
