"""Finds the finished cells of an encoder, and what the missing ones need: cached embeddings."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from mirprobe.api.task import Task
from mirprobe.core.errors import ConfigError, StorageError, TrackError, UntrustedEncoderError
from mirprobe.data.tracks import Tracks, splits_hash
from mirprobe.embedding.embedder import Keys
from mirprobe.embedding.remote_store import is_url
from mirprobe.evaluation.cells import CellWork, Splits
from mirprobe.evaluation.failures import noted
from mirprobe.evaluation.plan import Plan
from mirprobe.evaluation.provenance import HashedTask, cell_key, groups_hash
from mirprobe.evaluation.run_result import RunResult
from mirprobe.evaluation.setup import ProbedEncoder, few_labels
from mirprobe.probing.probe_run import ProbeRun, all_views
from mirprobe.probing.probes import probe_config
from mirprobe.probing.results import Cell

log = logging.getLogger(__name__)


def find_cells(
    plan: Plan, result: RunResult, probed: ProbedEncoder, tasks: Mapping[str, HashedTask]
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
        views = {name: run.views(tasks[name].task.level) for name, run in runs.items()}
        levels = all_views(views.values())
        try:
            filled = []
            perturbed: dict[str, dict[str, Keys]] = {}
            for draw in range(len(probed.draws)):
                embedder = plan.embedder(probed, draw)
                embedder.check_cached(embedder.keyed(plan.every_track, levels))
                unverified = [n for n in cells if not views[n] <= embedder.compared]
                if unverified:
                    log.warning(
                        "encoder '%s': finished scores of %s were not verified, because the cache "
                        "holds no embedding to compare; to compute them again, delete %s and %s",
                        embedder.name,
                        ", ".join(sorted(unverified)),
                        result.folder.path,
                        plan.shared_cells.folder,
                    )
                if missing:
                    needed = all_views(views[name] for name in missing)
                    filled.append(plan.fill(embedder, needed, plan.every_track, result.problems))
                    if not draw:
                        perturbed = plan.fill_perturbed(embedder, needed, result.problems)
            own = {n: tasks[n].task for n in missing}
            works += _works(plan, probed, own, missing, filled, perturbed)
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
        if cell is None and plan.shared:
            cell = plan.shared_cells.read(probed.encoder.fingerprint, run.row)
            if cell is not None:
                result.folder.write_cell(cell)
                result.shared += 1
        if cell is not None:
            cells[name] = cell
    return cells


def _probe_runs(
    plan: Plan, result: RunResult, probed: ProbedEncoder, tasks: Mapping[str, HashedTask]
) -> dict[str, ProbeRun]:
    """The settings of each task that the encoder can serve; the others become failures."""
    config, encoder = plan.config, probed.encoder
    splits, groups = splits_hash(plan.tracks), groups_hash(plan.tracks)
    few = few_labels(config)
    runs = {}
    for name, task in tasks.items():
        pooling = config.pooling_names if task.task.level == "clip" else ("mean",)
        probe = config.probe if pooling == ("mean",) else f"{config.probe} {','.join(pooling)}"
        run = ProbeRun(
            layers=probed.layers,
            sources=encoder.sources,
            frame_rate=encoder.frame_rate,
            config=probe_config(config.preset, config.probe),
            seeds=config.seeds,
            row={
                "encoder": probed.name,
                "task": name,
                "dataset": config.data,
                "probe": probe,
                "preset": config.preset,
                "fingerprint": probed.fingerprint,
                "splits": splits,
                "cell": cell_key(config, probed, task.key, task.data, groups),
                "data": task.data[:16],
            },
            components=probed.components,
            pooling=pooling,
            conditions="" if plan.dropped is None else f"{plan.dropped} leaking tracks left out",
            few=few,
            readings=config.reading_names,
            folder=None if plan.workers else result.folder.path.resolve(),
            device=plan.resources.device if plan.resources.device.startswith("cuda") else "cpu",
        )
        if "frame" in run.views(task.task.level) and encoder.frame_rate is None:
            what = "task" if task.task.level == "frame" else f"{probe} probe of task"
            result.failures[f"{probed.name} x {name}"] = (
                f"{what} '{name}' needs frames, and encoder '{probed.name}' has none (frame_rate "
                "is None)"
            )
        else:
            runs[name] = run
    return runs


def _works(
    plan: Plan,
    probed: ProbedEncoder,
    tasks: Mapping[str, Task],
    runs: Mapping[str, ProbeRun],
    filled: Sequence[tuple[dict[str, Keys], dict[str, str]]],
    perturbed: Mapping[str, dict[str, Keys]],
) -> list[CellWork]:
    """The missing cells of an encoder.

    Args:
        plan: of the run.
        probed: the encoder.
        tasks: of the cells.
        runs: their settings.
        filled: of each draw, what `Plan.fill` returned.
        perturbed: perturbation -> track -> keys, of the first draw.
    """
    place = plan.cache.place if is_url(plan.cache.place) else Path(plan.cache.place).resolve()
    unusable = {track: why for _, missing in filled for track, why in missing.items()}
    return [
        CellWork(
            task,
            [_with_keys(plan.tracks, keys) for keys, _ in filled],
            plan.config.resamples,
            plan.config.folds,
            unusable,
            runs[name],
            place,
            plan.cache.folder.resolve(),
            probed.encoder.fingerprint,
            {text: _with_keys(plan.perturbed[text], keys) for text, keys in perturbed.items()},
        )
        for name, task in tasks.items()
    ]


def _with_keys(tracks: Tracks, keys: Mapping[str, Keys]) -> Splits:
    """The usable tracks of each split, with the keys of their entries."""
    return {
        split: [(track, keys[track.id]) for track in own if track.id in keys]
        for split, own in tracks.items()
    }
