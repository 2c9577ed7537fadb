"""Computes missing cells: in processes on this machine, or as tasks of a cluster."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import cloudpickle
import joblib

from mirprobe.api.task import Task
from mirprobe.core.parallel import parallel_map
from mirprobe.core.schema import Embedding, Split, Track
from mirprobe.embedding.cache import Cache
from mirprobe.embedding.embedder import LAG, await_entries, read_embedding
from mirprobe.evaluation.failures import noted
from mirprobe.probing.cell import ProbeRun, run_cell
from mirprobe.probing.results import Cell
from mirprobe.reporting.run_folder import cell_bytes

if TYPE_CHECKING:
    from mirprobe.embedding.ray_cluster import RayWorkers

Outcome = tuple[Cell | None, dict[str, str]]
"""A cell; or None, and its name with the reason why it has no scores."""


@dataclass(frozen=True, eq=False)
class CellWork:
    """Everything that a process needs to compute a cell.

    Attributes:
        task: the task.
        tracks: of each split, the usable tracks with the keys of their entries in the cache.
        unusable: track -> why its audio cannot be used.
        run: the settings of the probes.
        place: of the cache.
        folder: of the local files of the cache.
        fingerprint: of the encoder itself, without principal components.
    """

    task: Task
    tracks: Mapping[Split, Sequence[tuple[Track, str]]]
    unusable: Mapping[str, str]
    run: ProbeRun
    place: Path | str
    folder: Path
    fingerprint: str

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
        with noted(
            failures, self.name, f"task '{self.run.row['task']}'", f" (encoder '{self.encoder}')"
        ):
            cache = Cache(self.place, self.folder)
            tracks = {split: self._read(cache, split, lag) for split in self.tracks}
            cell = run_cell(self.task, tracks, self.run, progress)
            # kept in the cell, so that a later run that reads it reports these tracks too
            cell.problems.update(self.unusable)
            cell_bytes(cell)  # raises if a prediction cannot be stored
            return cell, failures
        return None, failures

    def _read(self, cache: Cache, split: Split, lag: float) -> Iterator[tuple[Track, Embedding]]:
        for track, key in self.tracks[split]:
            keys = {self.task.level: key}
            await_entries(cache, keys, lag)
            yield track, read_embedding(cache, keys)

    def packed(self) -> tuple[list[str], bytes]:
        """The search path of this process, and the work in a form for another one."""
        return sys.path, cloudpickle.dumps(self)


def compute_packed(path: Sequence[str], work: bytes, lag: float = 0.0) -> Outcome:
    """Compute a cell in another process; see `CellWork.packed`."""
    sys.path += [folder for folder in path if folder not in sys.path]
    unpacked: CellWork = cloudpickle.loads(work)
    return unpacked.compute(lag=lag)


def compute_cells(
    works: Sequence[CellWork], jobs: int, workers: RayWorkers | None
) -> Iterator[tuple[CellWork, Cell | None, dict[str, str]]]:
    """Compute cells, those of frames first; yields each when it is finished.

    Args:
        works: the cells.
        jobs: processes; 0 for one per core. Results do not depend on it.
        workers: of a cluster that computes in the place of this machine.

    Raises:
        StorageError: the cache or a temporary file fails, or a process died.
    """
    ordered = sorted(works, key=lambda work: work.task.level != "frame")
    processes = min(jobs or joblib.cpu_count(), len(ordered))
    if workers is not None and ordered:
        calls = [(*work.packed(), LAG) for work in ordered]
        names = [work.name for work in ordered]
        for number, outcome in workers.compute(compute_packed, calls, names):
            yield ordered[number], *outcome
    elif processes > 1:
        numbered = [(number, *work.packed()) for number, work in enumerate(ordered)]
        title = f"{len(ordered)} cells in {processes} processes"
        found = parallel_map(_numbered, numbered, processes, title, unit="cell", ordered=False)
        for number, outcome in found:
            yield ordered[number], *outcome
    else:
        threads = jobs or joblib.cpu_count()
        for work in ordered:
            alone = replace(work, run=replace(work.run, threads=threads))
            yield work, *alone.compute(work.name)


def _numbered(number: int, path: Sequence[str], work: bytes) -> tuple[int, Outcome]:
    return number, compute_packed(path, work)
