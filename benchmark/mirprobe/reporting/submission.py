"""Runs of several people in one table: what a run must be for it, and a small copy of a run."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import numpy as np

from mirprobe.core.atomic_write import write_whole
from mirprobe.core.check import Check
from mirprobe.core.confidence_intervals import FEW
from mirprobe.core.errors import ListedError, MirprobeError
from mirprobe.reporting.cell_file import cell_bytes, cell_file
from mirprobe.reporting.run_tables import PAGE, SUMS, AnyPath, verify
from mirprobe.reporting.stored_run import StoredRun

_FILES = re.compile(
    r"run\.json|suite\.yaml|scores\.csv|differences\.csv|references\.json\.gz|SHA256SUMS|"
    r"splits/(train|valid|test)\.txt|predictions/[^/]+\.json\.gz|files/.+\.py"
)
"""All files of a run but its page: neither audio nor weights are among them."""
TOLERANCE = 1e-9


def pack(run: StoredRun, path: Path) -> int:
    """Write a run as one small zip file: of the predictions, those of the selected probes.

    The same run gives the same bytes.

    Returns:
        The number of bytes.

    Raises:
        StorageError: the run is incomplete, or the file cannot be written.
    """
    contents = {}
    _ = run.dataset  # reads the references
    for name, file in files_of(run.root):
        if _FILES.fullmatch(name) and name != SUMS and not name.startswith("predictions/"):
            verify(run.root, name)
            contents[name] = file.read_bytes()
    for encoder, task in run.scores[["encoder", "task"]].drop_duplicates().itertuples(index=False):
        cell = run.cell(str(encoder), str(task))
        small = replace(cell, predictions=cell.chosen())
        contents[cell_file(str(encoder), str(task))] = cell_bytes(small)
    sums = [f"{hashlib.sha256(own).hexdigest()}  {name}\n" for name, own in contents.items()]
    contents[SUMS] = "".join(sums).encode()
    buffer = BytesIO()
    with ZipFile(buffer, "w", ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in sorted(contents.items()):
            entry = ZipInfo(name)  # of 1980, so that equal runs give equal bytes
            entry.compress_type = ZIP_DEFLATED
            archive.writestr(entry, content)
    write_whole(path, buffer.getvalue())
    return len(buffer.getvalue())


def files_of(root: AnyPath, prefix: str = "") -> Iterator[tuple[str, AnyPath]]:
    """Name and path of each file of a run, by name."""
    inside: Iterator[AnyPath] = root.iterdir()
    for path in sorted(inside, key=lambda one: one.name):
        name = f"{prefix}{path.name}"
        if path.is_dir():
            yield from files_of(path, f"{name}/")
        else:
            yield name, path


def check(run: StoredRun) -> Iterator[Check]:
    """What makes a run fit for a common table, one check after the other."""
    for one in (_complete, _unchanged, _alone, _same_version, _names, _scores, _tracks):
        try:
            yield one(run)
        except MirprobeError as error:
            yield Check(one.__name__.strip("_"), False, str(error), "run again")


def _complete(run: StoredRun) -> Check:
    """Every encoder has a cell of every task, and the run says how it was made."""
    failures = run.description.get("failures", {})
    if run.scores.duplicated().any():
        return Check("complete", False, "scores.csv has a row twice", "run again")
    for encoder in run.encoders:
        for task in run.scores[run.scores["encoder"] == encoder]["task"].unique():
            run.cell(encoder, str(task))
    lacking = [name for name in ("config", "tasks", "metrics") if name not in run.description]
    if lacking:
        found = f"run.json lacks {', '.join(lacking)}: the run is of an earlier version"
        return Check("complete", False, found, "run again")
    count = (
        f"{len(run.encoders)} encoders, {len(run.tasks)} tasks, {len(run.dataset.tracks)} tracks"
    )
    left = f"; left out: {'; '.join(failures.values())}" if failures else ""
    return Check("complete", True, count + left)


def _unchanged(run: StoredRun) -> Check:
    """Every file is as the run wrote it."""
    if not (run.root / SUMS).exists():
        return Check("unchanged", False, f"{SUMS} is missing: the run is not finished", "run again")
    names = [name for name, _ in files_of(run.root) if name not in (SUMS, PAGE)]
    for name in names:
        verify(run.root, name)
    return Check("unchanged", True, f"{len(names)} files have the hashes in {SUMS}")


def _alone(run: StoredRun) -> Check:
    """Only files of a run are in the folder."""
    names = [name for name, _ in files_of(run.root) if name != PAGE]
    other = [name for name in names if not _FILES.fullmatch(name)]
    if other:
        more = f" and {len(other) - 1} more" if len(other) > 1 else ""
        return Check("alone", False, f"{other[0]}{more} is no file of a run", "remove what is not")
    return Check("alone", True, "neither audio nor weights")


def _same_version(run: StoredRun) -> Check:
    own, here = run.description.get("versions", {}).get("mirprobe"), version("mirprobe")
    found = f"made by mirprobe {own or 'of an unknown version'}; this is {here}"
    return Check("version", True if own == here else None, found)


def _names(run: StoredRun) -> Check:
    prints = run.scores.groupby("encoder")["fingerprint"].nunique()
    double = [str(name) for name in prints[prints > 1].index]
    found = f"{double[0]} names two encoders" if double else f"{len(prints)} different names"
    return Check("names", not double, found, "name them apart with --encoder NAME=ENCODER")


def _scores(run: StoredRun) -> Check:
    """The scores of the selected probes follow from predictions and references."""
    mains = run.scores[(run.scores["kind"] == "probe") & run.scores["selected"]]
    for (task, encoder), rows in mains.groupby(["task", "encoder"], sort=False):
        fits = run.statistics(str(encoder), str(task))
        for metric, own in rows.groupby("metric", sort=False):
            found = [fit[str(metric)] for fit in fits]
            value, stored = np.mean([one.value() for one in found]), own["value"].to_numpy().mean()
            what = f"{encoder} x {task}: {metric}"
            if np.isnan(value) and np.isnan(stored):
                if own["main"].any():
                    return Check("scores", False, f"{what} is undefined", "test on more tracks")
            elif not abs(value - stored) <= TOLERANCE:
                text = f"{what} is {value:.6g}, not {stored:.6g}"
                return Check("scores", False, text, "run again with this version")
            if {*own["n"]} != {one.tracks for one in found}:
                text = f"{what} is over {found[0].tracks} tracks, not {own['n'].iloc[0]}"
                return Check("scores", False, text, "run again with this version")
    return Check("scores", True, f"computed again from the predictions of {len(run.tasks)} tasks")


def _tracks(run: StoredRun) -> Check:
    counts = run.scores[run.scores["main"]]["groups"].dropna()
    if counts.empty:
        return Check("tracks", False, "scores.csv does not count groups", "run again")
    groups = int(counts.min())
    found = f"{groups} groups of test tracks"
    if groups < 2:
        return Check("tracks", False, f"{found}: there are no intervals", "test on more tracks")
    few = f"; intervals over fewer than {FEW} may be too narrow" if groups < FEW else ""
    return Check("tracks", None if few else True, found + few)


def require_one_table(runs: Sequence[StoredRun]) -> None:
    """Check that scores of several runs may stand in one table.

    Raises:
        ListedError: runs of one task differ in data, splits, or the version of task or metrics; or
            a run does not say what they are. Each line names a run, the task and the difference.
    """
    firsts: dict[tuple[str, str], tuple[StoredRun, Any]] = {}
    faults = []
    for run in runs:
        said = run.description
        tasks = said.get("tasks", {})
        rows = run.scores[["dataset", "task", "data", "splits"]].drop_duplicates()
        for dataset, task, data, splits in rows.itertuples(index=False):
            if "key" not in tasks.get(task, {}) or "metrics" not in said:
                faults.append(f"{run.path}: {task}: run.json does not say its version; run again")
                continue
            own = {
                "data (audio or annotations)": data,
                "splits": splits,
                "task version": tasks[task]["key"],
                "metric version": said["metrics"],
            }
            first, expected = firsts.setdefault((dataset, task), (run, own))
            made = [
                f"mirprobe {one.description.get('versions', {}).get('mirprobe')}"
                for one in (first, run)
            ]
            for name, value in own.items():
                if value != expected[name]:
                    faults.append(
                        f"{run.path}: {task} on {dataset}: another {name} than {first.path} "
                        f"({value[:8]} of {made[1]}, {expected[name][:8]} of {made[0]})"
                    )
    if faults:
        raise ListedError("these runs cannot stand in one table", faults)
