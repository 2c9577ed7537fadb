"""A run: every encoder on every task, cell by cell; a finished cell is never computed again."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from time import perf_counter
from typing import Any

import pandas as pd

from mirprobe.api.dataset import Dataset
from mirprobe.api.encoder import Encoder
from mirprobe.api.specs import spec_name
from mirprobe.api.task import Task
from mirprobe.core.errors import ConfigError, StorageError, TrackError, UntrustedEncoderError
from mirprobe.core.hashing import digest
from mirprobe.core.schema import SPLITS, Embedding, Level, Track
from mirprobe.data.paths import joined_specs
from mirprobe.data.tracks import splits_hash
from mirprobe.embedding.embedder import Embedder, Keys
from mirprobe.evaluation.config import RunConfig
from mirprobe.evaluation.failures import noted
from mirprobe.evaluation.plan import Plan, planned
from mirprobe.evaluation.provenance import cell_key, data_hash, describe, task_key
from mirprobe.evaluation.setup import ProbedEncoder, make_task, require_complete
from mirprobe.probing.cell import ProbeRun, run_cell
from mirprobe.probing.probes import probe_config
from mirprobe.probing.results import Cell
from mirprobe.reporting.paired_differences import differences
from mirprobe.reporting.run_folder import DIFFERENCES, RunFolder

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


@dataclass(frozen=True)
class _Task:
    """A task of a run.

    Attributes:
        task: the task.
        key: hash of the task as it was built.
        data: hash of ids, audio and annotations of the tracks.
    """

    task: Task
    key: str
    data: str


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
    info = {name: probed.info for name, probed in plan.encoders.items()}
    result = RunResult(RunFolder(config.results_dir / run_name(config)), failures=dict(plan.broken))
    result.folder.make()
    plan.prepare()
    # before any cell: a task may remember what it has done
    known: dict[str, _Task] = {}
    broken: dict[str, str] = {}
    for name, task in tasks.items():
        with noted(broken, name, f"task '{name}'"):
            data = data_hash(plan.tracks, plan.cache.hashes, task.annotation)
            known[name] = _Task(task, task_key(name, task), data)
    started, seconds = datetime.now(timezone.utc), {}
    cells: list[Cell] = []
    for name, probed in plan.encoders.items():
        begun, before = perf_counter(), result.computed
        result.failures.update({f"{name} x {task}": why for task, why in broken.items()})
        cells.extend(_run_encoder(plan, result, probed, known))
        seconds[name] = round(perf_counter() - begun, 1)
        if result.computed > before:
            result.folder.write_scores(cells, info)
    result.scores = result.folder.write_scores(cells, info)
    if result.computed or not (result.folder.path / "differences.csv").exists():
        _write_differences(plan, result, cells, tasks)
    if result.computed or not (result.folder.path / "run.json").exists():
        outcome = {
            "problems": result.problems,
            "failures": result.failures,
            "started": started.isoformat(timespec="seconds"),
            "seconds": seconds,
        }
        result.folder.write_splits(plan.tracks)
        with noted(result.failures, "run.json", "an encoder"):
            speeds = {name: plan.speed(probed) for name, probed in plan.encoders.items()}
            described = describe(config, plan.tracks, plan.resources.device, plan.encoders, speeds)
            result.folder.write_run({**described, **outcome})
    return result


def _write_differences(
    plan: Plan, result: RunResult, cells: Sequence[Cell], tasks: Mapping[str, Task]
) -> None:
    test = {track.id: track for track in plan.tracks["test"]}
    rows: list[dict[Hashable, Any]] = []
    for name, task in tasks.items():
        with noted(result.failures, f"differences of {name}", f"task '{name}'"):
            rows += differences(cells, {name: task}, test).to_dict("records")
    result.folder.write_differences(pd.DataFrame(rows, columns=DIFFERENCES))


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
    plan: Plan, result: RunResult, probed: ProbedEncoder, tasks: Mapping[str, _Task]
) -> list[Cell]:
    """The finished cells of one encoder, in the order of the tasks."""
    cells: dict[str, Cell] = {}
    # a TrackError ends a strict run, a ConfigError names a cluster or cache that no encoder can use
    fatal = (ConfigError, StorageError, TrackError)
    with noted(result.failures, probed.name, f"encoder '{probed.name}'", fatal=fatal):
        _find_cells(plan, result, probed, tasks, cells)
    for cell in cells.values():
        plan.add_problems(result.problems, cell.problems)
    return [cells[name] for name in tasks if name in cells]


def _find_cells(
    plan: Plan,
    result: RunResult,
    probed: ProbedEncoder,
    tasks: Mapping[str, _Task],
    cells: dict[str, Cell],
) -> None:
    """Read or compute the cells of one encoder; each that is finished is added to `cells`."""
    runs = _probe_runs(plan, result, probed, tasks)
    found = {n: result.folder.read_cell(probed.name, n, run.row["cell"]) for n, run in runs.items()}
    cells.update({name: cell for name, cell in found.items() if cell is not None})
    missing = [name for name in runs if name not in cells]
    embedder = plan.embedder(probed)
    try:
        levels = sorted({tasks[name].task.level for name in runs})
        embedder.check_cached(embedder.keyed(plan.every_track, levels))
        unverified = {n for n in cells if tasks[n].task.level not in embedder.compared}
        if unverified:
            log.warning(
                "encoder '%s': finished scores of %s were not verified, because the cache holds no "
                "embedding to compare; to compute them again, delete %s",
                probed.name,
                ", ".join(sorted(unverified)),
                result.folder.path,
            )
        if not missing:
            return
        levels = sorted({tasks[name].task.level for name in missing})
        filled, unusable = _fill(plan, result, embedder, levels)
    except UntrustedEncoderError:
        for name in cells:
            result.folder.cell_path(probed.name, name).unlink()
        cells.clear()
        raise
    for name in missing:
        cell_name, beside = f"{probed.name} x {name}", f" (encoder '{probed.name}')"
        level = tasks[name].task.level
        tracks = {split: _read(embedder, plan.tracks[split], filled, level) for split in SPLITS}
        with noted(result.failures, cell_name, f"task '{name}'", beside):
            cell = run_cell(tasks[name].task, tracks, runs[name], progress=cell_name)
            # kept in the cell, so that a later run that reads it reports these tracks too
            cell.problems.update(unusable)
            cells[name] = result.folder.write_cell(cell)
            result.computed += 1


def _probe_runs(
    plan: Plan, result: RunResult, probed: ProbedEncoder, tasks: Mapping[str, _Task]
) -> dict[str, ProbeRun]:
    """The settings of each task that the encoder can serve; the others become failures."""
    config, encoder = plan.config, probed.encoder
    runs = {}
    for name, task in tasks.items():
        if task.task.level == "frame" and encoder.frame_rate is None:
            result.failures[f"{probed.name} x {name}"] = (
                f"task '{name}' needs frames, and encoder '{probed.name}' has none (frame_rate is "
                "None)"
            )
            continue
        runs[name] = ProbeRun(
            layers=probed.layers,
            sources=encoder.sources,
            frame_rate=encoder.frame_rate,
            config=probe_config(config.preset, config.probe),
            seeds=config.seeds,
            row={
                "encoder": probed.name,
                "task": name,
                "dataset": config.data,
                "probe": config.probe,
                "preset": config.preset,
                "fingerprint": probed.fingerprint,
                "splits": splits_hash(plan.tracks),
                "cell": cell_key(config, probed, task.key, task.data),
                "data": task.data[:16],
            },
            components=probed.components,
            folder=result.folder.path,
        )
    return runs


def _fill(
    plan: Plan, result: RunResult, embedder: Embedder, levels: list[Level]
) -> tuple[dict[str, Keys], dict[str, str]]:
    """The keys of each track's embeddings in the cache, and why the other tracks are unusable.

    No embedding is read yet: what stays in memory must not lie between what the encoder frees.
    """
    filled: dict[str, Keys] = {}
    unusable: dict[str, str] = {}
    for track, keys in plan.progress(embedder.name, embedder.fill(plan.every_track, levels)):
        if isinstance(keys, TrackError):
            unusable[track.id] = str(keys)
            plan.add_problems(result.problems, unusable)
        else:
            filled[track.id] = keys
    plan.measure_throughput(embedder)
    return filled, unusable


def _read(
    embedder: Embedder, tracks: Sequence[Track], filled: Mapping[str, Keys], level: Level
) -> Iterator[tuple[Track, Embedding]]:
    """The usable ones of the tracks, each with one view of its embedding."""
    for track in tracks:
        if track.id in filled:
            yield track, embedder.read({level: filled[track.id][level]})
