"""Computes missing cells: in processes on this machine, or as tasks of a cluster."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import joblib
import numpy as np

from mirprobe.api.task import Task
from mirprobe.core.errors import ConfigError, KilledError
from mirprobe.core.parallel import Packed, call_packed, in_process, pack, parallel_map
from mirprobe.core.schema import Embedding, Score, Split, Track
from mirprobe.embedding.cache import Cache
from mirprobe.embedding.embedder import LAG, Keys, await_entries, read_embedding
from mirprobe.encoders.process_state import kept_process_state
from mirprobe.evaluation.failures import noted
from mirprobe.probing.cell import run_cell
from mirprobe.probing.probe_run import ProbeRun
from mirprobe.probing.results import Cell
from mirprobe.probing.subsets import FULL
from mirprobe.reporting.cell_file import cell_bytes

if TYPE_CHECKING:
    from mirprobe.embedding.ray_cluster import RayWorkers

log = logging.getLogger(__name__)

Outcome = tuple[bytes | None, dict[str, str]]
"""The content of a cell's file; or None, and its name with the reason why it has no scores."""


Splits = Mapping[Split, Sequence[tuple[Track, Keys]]]
"""The tracks of each split, with the keys of their entries in the cache."""


def deal(splits: Splits, resample: int) -> Splits:
    """Deal training and validation tracks anew, in whole groups; the test split stays.

    Args:
        splits: those of the data set.
        resample: seed of the order of the groups.

    Returns:
        Splits of about the same sizes as before.
    """
    train: list[tuple[Track, Keys]] = []
    valid: list[tuple[Track, Keys]] = []
    for group in _shuffled_groups(splits, resample):
        (train if len(train) < len(splits["train"]) else valid).extend(group)
    return {"train": train, "valid": valid, "test": splits["test"]}


def fold(splits: Splits, number: int, folds: int) -> Splits:
    """Training on all folds but one, and validation on that one; the test split stays.

    Args:
        splits: those of the data set.
        number: of the fold that validates.
        folds: how many there are. Groups are dealt in random order, the same for every `number`,
            each to the fold with the fewest tracks.

    Raises:
        ConfigError: there are fewer groups than folds.
    """
    groups = _shuffled_groups(splits, 0)
    if len(groups) < folds:
        raise ConfigError(
            f"{folds} folds need as many groups of training and validation tracks, and there are "
            f"{len(groups)}; give fewer folds"
        )
    parts: list[list[tuple[Track, Keys]]] = [[] for _ in range(folds)]
    for group in groups:
        min(parts, key=len).extend(group)
    train = [item for other, part in enumerate(parts) if other != number for item in part]
    return {"train": train, "valid": parts[number], "test": splits["test"]}


def _shuffled_groups(splits: Splits, seed: int) -> list[list[tuple[Track, Keys]]]:
    """The groups of training and validation tracks in random order."""
    groups: dict[str, list[tuple[Track, Keys]]] = {}
    for item in (*splits["train"], *splits["valid"]):
        groups.setdefault(item[0].group or item[0].id, []).append(item)
    order = np.random.default_rng(seed).permutation(len(groups))
    return [list(groups.values())[index] for index in order]


def _ids(splits: Splits) -> list[list[str]]:
    return [[track.id for track, _ in splits[split]] for split in splits]


@dataclass(frozen=True, eq=False)
class CellWork:
    """Everything that a process needs to compute a cell.

    Attributes:
        task: the task.
        draws: of each draw of the encoder and each split, the usable tracks with the keys of their
            entries in the cache.
        resamples: times that training and validation tracks are dealt.
        folds: number of folds, each of which is a resample; None for other deals.
        unusable: track -> why its audio cannot be used.
        run: the settings of the probes.
        place: of the cache.
        folder: of the local files of the cache.
        fingerprint: of the encoder itself, without principal components.
        perturbed: perturbation -> the usable tracks with it, of the test split or of all, with the
            keys of the entries of the first draw.
    """

    task: Task
    draws: Sequence[Splits]
    resamples: int
    folds: int | None
    unusable: Mapping[str, str]
    run: ProbeRun
    place: Path | str
    folder: Path
    fingerprint: str
    perturbed: Mapping[str, Splits] = field(default_factory=dict)

    @property
    def encoder(self) -> str:
        """Its name in the rows."""
        return str(self.run.row["encoder"])

    @property
    def name(self) -> str:
        """Encoder and task."""
        return f"{self.encoder} x {self.run.row['task']}"

    def compute(self, progress: str = "", lag: float = 0.0) -> Outcome:
        """Compute the cell.

        Args:
            progress: label of the progress bar; empty for none.
            lag: seconds until an entry that another machine wrote must be visible.

        Raises:
            StorageError: the cache or the temporary file cannot be read or written.
        """
        failures: dict[str, str] = {}
        plugin, beside = f"task '{self.run.row['task']}'", f" (encoder '{self.encoder}')"
        # what a task does to the process must not reach the next cell of the process
        with kept_process_state(), noted(failures, self.name, plugin, beside):
            cache = Cache(self.place, self.folder)
            cell = Cell(self.run.row["cell"], self.encoder, self.run.row["task"])
            controls: list[Score] = []
            for resample, (draw, splits) in product(
                range(self.folds or self.resamples), enumerate(self.draws)
            ):
                if self.folds:
                    dealt = fold(splits, resample, self.folds)
                else:
                    dealt = deal(splits, resample) if resample else splits
                row = {**self.run.row, "draw": draw, "resample": resample}
                tracks = {split: self._read(cache, own, lag) for split, own in dealt.items()}
                known = draw > 0 and _ids(splits) == _ids(self.draws[0])
                run = replace(self.run, row=row, controls=not known)
                if resample:  # subsets are those of the data set's own split
                    run = replace(run, few=FULL)
                disturbed = {
                    text: {split: self._read(cache, one, lag) for split, one in own.items()}
                    for text, own in self.perturbed.items()
                    if not draw and not resample
                }
                fit = run_cell(self.task, tracks, run, progress, disturbed)
                if known:  # of the first draw
                    fit.scores += [replace(score, draw=draw) for score in controls]
                elif draw == 0:
                    controls = [one for one in fit.scores if one.kind in ("chance", "ceiling")]
                cell.scores += fit.scores
                cell.predictions += fit.predictions
                cell.problems.update(fit.problems)
            # kept in the cell, so that a later run that reads it reports these tracks too
            cell.problems.update(self.unusable)
            return cell_bytes(cell), failures
        return None, failures

    def _read(
        self, cache: Cache, tracks: Sequence[tuple[Track, Keys]], lag: float
    ) -> Iterator[tuple[Track, Embedding]]:
        views = self.run.views(self.task.level)
        for track, every in tracks:
            keys = {level: every[level] for level in views}
            await_entries(cache, keys, lag)
            yield track, read_embedding(cache, keys)

    def compute_elsewhere(self, lag: float = 0.0) -> Outcome:
        """Compute the cell in a process of which the log lines must name it."""
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter(f"warning: {self.name}: %(message)s"))
        for name in ("mirprobe", "mirprobe_tasks"):
            logging.getLogger(name).handlers = [handler]
            logging.getLogger(name).propagate = False
        return self.compute(lag=lag)

    def packed(self) -> Packed | None:
        """The work in a form for another process.

        Returns:
            None if the task cannot leave this process, as one whose file has a lock.
        """
        try:
            return pack(self.compute_elsewhere)
        except Exception as error:  # whatever a class of the plug-in raises
            log.info("%s: computed alone, since its task cannot be pickled (%s)", self.name, error)
            return None


def compute_cells(
    works: Sequence[CellWork], jobs: int, workers: RayWorkers | None
) -> Iterator[tuple[CellWork, bytes | None, dict[str, str]]]:
    """Compute cells, those of frames first; yields each when it is finished.

    Args:
        works: the cells.
        jobs: processes; 0 for one per core. Results do not depend on it.
        workers: of a cluster, which computes instead of this machine.

    Raises:
        StorageError: the cache or a temporary file fails.
    """
    ordered = sorted(works, key=lambda work: work.task.level != "frame")
    jobs = jobs or joblib.cpu_count()
    processes = min(jobs, len(ordered))
    alone = list(ordered)
    # few cells run one after the other, and each spreads its tracks over all processes
    if workers is not None or (processes > 1 and jobs < 2 * len(ordered)):
        packed = {work: work.packed() for work in ordered}
        calls = {work: call for work, call in packed.items() if call is not None}
        alone = [work for work in ordered if work not in calls]
        yield from _elsewhere(calls, processes, workers)
    for work in alone:
        run = replace(work.run, threads=jobs)
        yield work, *replace(work, run=run).compute(work.name)


def _elsewhere(
    calls: Mapping[CellWork, Packed], processes: int, workers: RayWorkers | None
) -> Iterator[tuple[CellWork, bytes | None, dict[str, str]]]:
    """Compute cells in other processes.

    If one is killed, the cells that are left run one at a time, each in a process of its own: they
    have all memory then, and a task that kills its process costs its own cell only.
    """
    ordered = list(calls)
    if workers is not None:
        names = [work.name for work in ordered]
        waits = [(*call, LAG) for call in calls.values()]
        for number, outcome in workers.compute(call_packed, waits, names):
            yield ordered[number], *outcome
        return
    left = dict(enumerate(ordered))
    numbered = [(number, *calls[work]) for number, work in left.items()]
    title = f"{len(ordered)} cells in {processes} processes"
    try:
        found = parallel_map(
            _numbered,
            numbered,
            processes,
            title,
            unit="cell",
            ordered=False,
            running=lambda: ", ".join(work.name for work in list(left.values())[:processes]),
        )
        for number, outcome in found:
            yield left.pop(number), *outcome
    except KilledError:
        log.warning("%s: one was killed; the cells that are left run one at a time", title)
    for work in left.values():
        try:
            outcome = in_process(work.name, call_packed, *calls[work])
        except KilledError as error:
            outcome = None, {work.name: str(error)}
        yield work, *outcome


def _numbered(number: int, path: Sequence[str], work: bytes) -> tuple[int, Outcome]:
    return number, call_packed(path, work)
