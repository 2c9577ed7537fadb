"""A run: every encoder on every task, cell by cell; a finished cell is never computed again."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from time import perf_counter
from typing import Any

import pandas as pd

from mirprobe.api.dataset import Dataset
from mirprobe.api.encoder import Encoder
from mirprobe.api.specs import spec_name
from mirprobe.api.task import Task
from mirprobe.core.errors import ConfigError, StorageError, TrackError, UntrustedEncoderError
from mirprobe.core.hashing import digest
from mirprobe.core.schema import SPLITS
from mirprobe.data.paths import joined_specs
from mirprobe.data.tracks import splits_hash
from mirprobe.embedding.embedder import Embedder, Keys
from mirprobe.embedding.remote_store import is_url
from mirprobe.evaluation.cells import CellWork, compute_cells
from mirprobe.evaluation.config import RunConfig
from mirprobe.evaluation.failures import noted
from mirprobe.evaluation.plan import Plan, planned
from mirprobe.evaluation.provenance import cell_key, data_hash, describe, groups_hash, task_key
from mirprobe.evaluation.setup import ProbedEncoder, make_task, require_complete
from mirprobe.probing.cell import ProbeRun
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
        computed: number of cells that no run had finished before.
        shared: number of cells that another run had finished.
    """

    folder: RunFolder
    scores: pd.DataFrame = field(default_factory=pd.DataFrame)
    problems: dict[str, str] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    computed: int = 0
    shared: int = 0

    @property
    def changed(self) -> bool:
        """Whether the folder has cells that it did not have before."""
        return bool(self.computed or self.shared)


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
    started, begun = datetime.now(timezone.utc), perf_counter()
    found: dict[str, dict[str, Cell]] = {}
    seconds: dict[str, float] = {}
    works: list[CellWork] = []
    for name, probed in plan.encoders.items():
        before = perf_counter()
        result.failures.update({f"{name} x {task}": why for task, why in broken.items()})
        found[name], missing = _find_cells(plan, result, probed, known)
        works += missing
        seconds[name] = round(perf_counter() - before, 1)
    info = {name: probed.info for name, probed in plan.encoders.items()}

    def finished() -> list[Cell]:
        return [found[name][task] for name in found for task in tasks if task in found[name]]

    left = Counter(work.encoder for work in works)
    for work, cell, failures in compute_cells(works, config.jobs, plan.workers):
        result.failures |= failures
        left[work.encoder] -= 1
        if cell is not None:
            found[work.encoder][work.run.row["task"]] = result.folder.write_cell(cell)
            plan.shared_cells.write(work.fingerprint, cell)
            plan.add_problems(result.problems, cell.problems)
            result.computed += 1
            if not left[work.encoder]:
                result.folder.write_scores(finished(), info)
    result.scores = result.folder.write_scores(finished(), info)
    if result.changed or not (result.folder.path / "differences.csv").exists():
        _write_differences(plan, result, finished(), tasks)
    if result.changed or not (result.folder.path / "run.json").exists():
        outcome = {
            "problems": result.problems,
            "failures": result.failures,
            "started": started.isoformat(timespec="seconds"),
            "seconds": seconds,
            "total_seconds": round(perf_counter() - begun, 1),
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
    for name in ("device", "engine", "jobs", "strict", "data_home", "cache_dir", "results_dir"):
        del values[name]
    sides = [
        "+".join(spec_name(part) for part in joined_specs(side))
        for side in config.data.split(" -> ")
    ]
    return f"{'-to-'.join(sides)}-{config.preset}-{config.probe}-{digest(values)[:8]}"


def _find_cells(
    plan: Plan, result: RunResult, probed: ProbedEncoder, tasks: Mapping[str, _Task]
) -> tuple[dict[str, Cell], list[CellWork]]:
    """The finished cells of one encoder by task, and the work that is missing.

    The embeddings of the missing cells are in the cache afterwards.
    """
    cells: dict[str, Cell] = {}
    works: list[CellWork] = []
    # a TrackError ends a strict run, a ConfigError names a cluster or cache that no encoder can use
    fatal = (ConfigError, StorageError, TrackError)
    with noted(result.failures, probed.name, f"encoder '{probed.name}'", fatal=fatal):
        runs = _probe_runs(plan, result, probed, tasks)
        cells.update(_read_cells(plan, result, probed, runs))
        missing = {name: run for name, run in runs.items() if name not in cells}
        embedder = plan.embedder(probed)
        try:
            levels = sorted({tasks[name].task.level for name in runs})
            embedder.check_cached(embedder.keyed(plan.every_track, levels))
            unverified = [n for n in cells if tasks[n].task.level not in embedder.compared]
            if unverified:
                log.warning(
                    "encoder '%s': finished scores of %s were not verified, because the cache "
                    "holds no embedding to compare; to compute them again, delete %s and %s",
                    probed.name,
                    ", ".join(sorted(unverified)),
                    result.folder.path,
                    plan.shared_cells.folder,
                )
            if missing:
                works += _fill(
                    plan, result, probed, embedder, {n: tasks[n].task for n in missing}, missing
                )
        except UntrustedEncoderError:
            for name in cells:
                result.folder.cell_path(probed.name, name).unlink()
            plan.shared_cells.discard(probed.encoder.fingerprint)
            cells.clear()
            raise
    for cell in cells.values():
        plan.add_problems(result.problems, cell.problems)
    return cells, works


def _read_cells(
    plan: Plan, result: RunResult, probed: ProbedEncoder, runs: Mapping[str, ProbeRun]
) -> dict[str, Cell]:
    """The finished cells of an encoder by task, of this run or of others."""
    cells = {}
    for name, run in runs.items():
        cell = result.folder.read_cell(probed.name, name, run.row["cell"])
        if cell is None:
            cell = plan.shared_cells.read(probed.encoder.fingerprint, run.row)
            if cell is not None:
                result.folder.write_cell(cell)
                result.shared += 1
        if cell is not None:
            cells[name] = cell
    return cells


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
                "cell": cell_key(config, probed, task.key, task.data, groups_hash(plan.tracks)),
                "data": task.data[:16],
            },
            components=probed.components,
            folder=None if plan.workers else result.folder.path.resolve(),
            device=plan.resources.device if plan.resources.device.startswith("cuda") else "cpu",
        )
    return runs


def _fill(
    plan: Plan,
    result: RunResult,
    probed: ProbedEncoder,
    embedder: Embedder,
    tasks: Mapping[str, Task],
    runs: Mapping[str, ProbeRun],
) -> list[CellWork]:
    """The missing cells of an encoder, after its embeddings have been cached.

    No embedding is read yet: what stays in memory must not lie between what the encoder frees.
    """
    filled: dict[str, Keys] = {}
    unusable: dict[str, str] = {}
    levels = sorted({task.level for task in tasks.values()})
    for track, keys in plan.progress(embedder.name, embedder.fill(plan.every_track, levels)):
        if isinstance(keys, TrackError):
            unusable[track.id] = str(keys)
            plan.add_problems(result.problems, unusable)
        else:
            filled[track.id] = keys
    plan.measure_throughput(embedder)
    return [
        CellWork(
            task,
            {
                split: [(t, filled[t.id][task.level]) for t in plan.tracks[split] if t.id in filled]
                for split in SPLITS
            },
            unusable,
            runs[name],
            plan.cache.place if is_url(plan.cache.place) else Path(plan.cache.place).resolve(),
            plan.cache.folder.resolve(),
            probed.encoder.fingerprint,
        )
        for name, task in tasks.items()
    ]
