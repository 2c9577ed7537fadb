"""A run: every encoder on every task, cell by cell; a finished cell is never computed again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timezone
from time import perf_counter
from typing import Any

import pandas as pd

from mirprobe.api.dataset import Dataset
from mirprobe.api.encoder import Encoder
from mirprobe.api.specs import spec_name
from mirprobe.api.task import Task
from mirprobe.core.atomic_write import write_whole
from mirprobe.core.errors import ConfigError, plugin_errors
from mirprobe.core.hashing import digest
from mirprobe.data.paths import joined_specs
from mirprobe.evaluation.cells import CellWork, compute_cells
from mirprobe.evaluation.config import RunConfig
from mirprobe.evaluation.drop_leaks import audited
from mirprobe.evaluation.failures import noted
from mirprobe.evaluation.find_cells import find_cells
from mirprobe.evaluation.perturbed_annotations import perturbed_tracks
from mirprobe.evaluation.plan import Plan, planned
from mirprobe.evaluation.provenance import HashedTask, data_hash, describe, task_key
from mirprobe.evaluation.run_files import OF_THE_MACHINE, SUITE, copy_plugins, suite_text
from mirprobe.evaluation.run_result import RunResult
from mirprobe.evaluation.setup import few_labels, make_task, require_complete
from mirprobe.probing.results import Cell
from mirprobe.probing.retrieval_and_code import has_reading
from mirprobe.reporting.paired_differences import differences
from mirprobe.reporting.reference_annotations import REFERENCES, references_bytes
from mirprobe.reporting.run_folder import RunFolder, write_splits
from mirprobe.reporting.run_tables import DIFFERENCES


def run(
    config: RunConfig,
    *,
    encoders: Mapping[str, Encoder] | None = None,
    tasks: Mapping[str, Task] | None = None,
    dataset: Dataset | None = None,
    shared: bool = True,
) -> RunResult:
    """Score every encoder of `config` on each of its tasks.

    Args:
        config: the configuration.
        encoders: instances to use for specifications rather than the registry's.
        tasks: instances to use for names rather than the registry's.
        dataset: an instance to use rather than the registry's.
        shared: whether cells that other runs have finished are used.

    Raises:
        ConfigError: an unknown name, or an unsuitable data set.
        TrackError: a track cannot be used and `config.strict` is set.
        StorageError: the cache or results folder cannot be written.
    """
    with planned(config, encoders=encoders, dataset=dataset, shared=shared) as plan:
        return _run(*_checked(plan, tasks or {}))


def check(config: RunConfig) -> None:
    """Refuse what `run` refuses before any work.

    Raises:
        ConfigError: as for `run`.
    """
    with planned(config) as plan:
        _checked(plan, {})


def _checked(plan: Plan, instances: Mapping[str, Task]) -> tuple[Plan, dict[str, Task]]:
    """The plan with its disturbed tracks, and its tasks."""
    config = plan.config
    tasks = {
        name: instances[name] if name in instances else make_task(name, plan.dataset)
        for name in config.tasks
    }
    require_complete(tasks, Task, "task")
    frames = [name for name, task in tasks.items() if task.level == "frame"]
    if config.probe == "attentive" and frames:
        raise ConfigError(
            f"probe 'attentive' reads whole tracks, and task '{frames[0]}' is one of frames; drop "
            "the task or take another probe"
        )
    if config.pooling_names != ("mean",) and len(frames) == len(tasks):
        raise ConfigError("pooling is of tasks of clips, and the run has none; add one or drop it")
    for reading in config.reading_names:
        if not any(has_reading(reading, task) for task in tasks.values()):
            raise ConfigError(f"no task of the run has the reading '{reading}'; add one or drop it")
    few = few_labels(config)
    for name, task in tasks.items():
        with plugin_errors(f"task '{name}' cannot make targets", "correct its method `targets`"):
            few.require(task, plan.tracks["train"])
    fields = {task.annotation for task in tasks.values()}
    perturbed = perturbed_tracks(plan, plan.perturbed_splits, fields)
    return replace(plan, perturbed=perturbed), tasks


def _run(plan: Plan, tasks: Mapping[str, Task]) -> RunResult:
    config = plan.config
    result = RunResult(RunFolder(config.results_dir / run_name(config)), failures=dict(plan.broken))
    result.folder.make()
    plan.prepare()
    plan, leaking = audited(plan)
    result.problems |= leaking
    # before any cell: a task may remember what it has done
    known: dict[str, HashedTask] = {}
    broken: dict[str, str] = {}
    for name, task in tasks.items():
        with noted(broken, name, f"task '{name}'"):
            data = data_hash(plan.tracks, plan.cache.hashes, task.annotation)
            known[name] = HashedTask(task, task_key(name, task), data)
    started, begun = datetime.now(timezone.utc), perf_counter()
    found: dict[str, dict[str, Cell]] = {}
    seconds: dict[str, float] = {}
    works: list[CellWork] = []
    for name, probed in plan.encoders.items():
        before = perf_counter()
        result.failures.update({f"{name} x {task}": why for task, why in broken.items()})
        found[name], missing = find_cells(plan, result, probed, known)
        works += missing
        seconds[name] = round(perf_counter() - before, 1)
    info = {name: probed.info for name, probed in plan.encoders.items()}

    def finished() -> list[Cell]:
        return [found[name][task] for name in found for task in tasks if task in found[name]]

    left = Counter(work.encoder for work in works)
    for work, content, failures in compute_cells(works, config.jobs, plan.workers):
        result.failures |= failures
        left[work.encoder] -= 1
        if content is not None:
            cell = result.folder.write_content(content)
            found[cell.encoder][cell.task] = cell
            plan.shared_cells.write(work.fingerprint, cell, content)
            plan.add_problems(result.problems, cell.problems)
            result.computed += 1
            if not left[work.encoder]:
                result.folder.write_scores(finished(), info)
    result.scores = result.folder.write_scores(finished(), info)
    if result.changed or not (result.folder.path / REFERENCES).exists():
        with noted(result.failures, REFERENCES, "the data set"):
            fields = {task.annotation for task in tasks.values()}
            content = references_bytes(plan.dataset, plan.tracks["test"], fields)
            write_whole(result.folder.path / REFERENCES, content)
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
        write_splits(result.folder.path / "splits", plan.tracks)
        with noted(result.failures, "run.json", "an encoder"):
            speeds = {name: plan.speed(probed) for name, probed in plan.encoders.items()}
            write_whole(result.folder.path / SUITE, suite_text(config).encode())
            described = describe(
                config,
                plan.tracks,
                plan.resources.device,
                plan.encoders,
                speeds,
                known,
                copy_plugins(config, result.folder.path),
            )
            result.folder.write_run({**described, **outcome})
    result.folder.write_sums()
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
    for name in OF_THE_MACHINE:
        del values[name]
    sides = [
        "+".join(spec_name(part) for part in joined_specs(side))
        for side in config.data.split(" -> ")
    ]
    return f"{'-to-'.join(sides)}-{config.preset}-{config.probe}-{digest(values)[:8]}"
