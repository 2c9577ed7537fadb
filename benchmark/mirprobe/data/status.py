"""The state of data sets: which files exist, which are missing, which are broken."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from mirprobe.api.dataset import (
    Dataset,
    DatasetInfo,
    Downloadable,
    faults_of,
    root_of,
    sheet_of,
)
from mirprobe.api.registry import DATASETS, TASKS
from mirprobe.api.specs import spec_name
from mirprobe.api.task import Task
from mirprobe.core.annotations import check_annotation
from mirprobe.core.errors import ConfigError, TrackError
from mirprobe.core.schema import SPLITS, Split, Track
from mirprobe.data.audio import prefetch
from mirprobe.data.paths import DataFolders
from mirprobe.data.tracks import Tracks, prepare_audio, read_splits, splits_hash, tracks_of

RATE = 16_000
"""Sample rate in Hz at which audio is compared."""

FRAMES = 25.0
"""Frames per second at which frame-wise targets are computed."""


@dataclass(frozen=True)
class DatasetStatus:
    """A data set and its folder.

    Attributes:
        name: the registered name.
        sheet: size, licence and source; None if its class does not state them.
        root: its folder.
        present: whether the folder has any content.
    """

    name: str
    sheet: DatasetInfo | None
    root: Path
    present: bool


@dataclass(frozen=True)
class DatasetFiles:
    """The tracks and audio files of a data set.

    Attributes:
        status: of the data set.
        splits: the tracks of each split; empty if they are not known, see `problem`.
        missing: audio files that do not exist.
        problem: why the tracks cannot be listed; empty if they can.
    """

    status: DatasetStatus
    splits: Mapping[Split, Sequence[Track]]
    missing: tuple[Path, ...]
    problem: str

    @property
    def hash(self) -> str:
        """Hash of the track ids of every split, as in the rows of a run on all tracks."""
        return splits_hash(self.splits)


@dataclass(frozen=True)
class Problem:
    """A broken part of a data set.

    Attributes:
        track: its id; empty if the problem concerns the data set.
        what: in one line.
        check: what was checked: `splits`, `audio`, `annotations` or `tasks`.
    """

    track: str
    what: str
    check: str


def dataset_status(spec: str, folders: DataFolders) -> DatasetStatus:
    """The status of a data set, `name` or `name:option=value,...`.

    Raises:
        ConfigError: the name is unknown.
    """
    root = folders.root(spec)
    present = root.is_dir() and any(root.iterdir())
    return DatasetStatus(spec_name(spec), sheet_of(DATASETS.get(spec)), root, present)


def dataset_files(spec: str, folders: DataFolders) -> DatasetFiles:
    """The tracks and audio files of a data set. Audio is not read.

    Raises:
        ConfigError: the name is unknown or the data set refuses an option.
    """
    status, dataset = dataset_status(spec, folders), folders.open(spec)
    status = replace(status, root=root_of(dataset) or status.root)
    try:
        splits = read_splits(dataset)
    except ConfigError as error:
        return DatasetFiles(status, {}, (), str(error))
    missing = tuple(track.audio for track in tracks_of(splits) if not track.audio.is_file())
    return DatasetFiles(status, splits, missing, "")


def prepare_dataset(dataset: Dataset) -> bool:
    """Download a data set if possible and make its audio, with a progress bar.

    Returns:
        Whether the data set can be downloaded. If not, the files in its folder are used.

    Raises:
        ConfigError: files cannot be downloaded or audio cannot be made; the message says how to
            get them by hand.
    """
    if downloadable := isinstance(dataset, Downloadable):
        dataset.download()
    prepare_audio(dataset, tracks_of(dataset.splits()))
    return downloadable


def check(dataset: Dataset, opened: Tracks | None = None) -> list[Problem]:
    """Open every file and annotation, with a progress bar, and list all problems.

    - `splits`: an empty split, an id that two tracks have, a group in two splits.
    - `audio`: a file that is missing, truncated, silent or not audio, or the same audio twice.
    - `annotations`: those that cannot be read (the data set's `faults`), that exceed the audio, or
      a track without any.
    - `tasks`: annotations that a task which needs them refuses.

    Args:
        dataset: to check.
        opened: the tracks of each split whose audio and annotations are read; None for all.

    Raises:
        ConfigError: the tracks cannot be listed.
    """
    splits = read_splits(dataset)
    opened = splits if opened is None else opened
    faults = faults_of(dataset)
    found = [
        Problem(track, reason, "annotations")
        for track, reasons in faults.items()
        for reason in reasons
    ]
    found.extend(_split_problems(splits))
    tracks = tracks_of(opened)
    tasks, refusing = _tasks(dataset, tracks)
    found.extend(refusing)
    split_of = {id(track): split for split in SPLITS for track in opened.get(split, ())}
    by_audio: dict[str, Track] = {}
    trials = _TaskTrials(tasks)
    progress = tqdm(tracks, f"checking {dataset.name}", leave=False, disable=None)
    for track, audio in zip(progress, prefetch(tracks, RATE), strict=True):
        if isinstance(audio, TrackError):
            found.append(Problem(track.id, str(audio), "audio"))
            continue
        twin = by_audio.setdefault(hashlib.sha256(audio.data).hexdigest(), track)
        if twin is not track:
            split, other = split_of[id(track)], split_of[id(twin)]
            where = "" if split == other else f", which is in split '{other}', this in '{split}'"
            found.append(Problem(track.id, f"the same audio as track '{twin.id}'{where}", "audio"))
        if track.id not in faults and not track.annotations.given():
            found.append(Problem(track.id, "has no annotation at all", "annotations"))
        found.extend(trials.run(track, len(audio) / RATE))
    found.extend(trials.refusals())
    return found


def _split_problems(splits: Tracks) -> Iterator[Problem]:
    """Empty splits, ids of two tracks, groups in two splits."""
    ids: set[str] = set()
    groups: dict[str, Split] = {}
    for split in SPLITS:
        if not splits.get(split):
            yield Problem("", f"split '{split}' has no tracks", "splits")
        for track in splits.get(split, ()):
            if track.id in ids:
                yield Problem(track.id, "another track has the same id", "splits")
            ids.add(track.id)
            first = groups.setdefault(track.group, split)
            if first != split:
                what = f"its group '{track.group}' is in '{first}' and in '{split}'"
                yield Problem(track.id, what, "splits")


def _tasks(dataset: Dataset, tracks: Sequence[Track]) -> tuple[list[Task], list[Problem]]:
    """The registered tasks whose annotation some track has, and why others refuse the data set."""
    given = {name for track in tracks for name in track.annotations.given()}
    tasks: list[Task] = []
    refusing: list[Problem] = []
    for name in TASKS.names():
        if getattr(TASKS.get(name), "annotation", None) not in given:
            continue
        try:
            tasks.append(TASKS.create(name, dataset))
        except ConfigError as error:
            refusing.append(Problem("", f"task '{name}': {error}", "tasks"))
    return tasks, refusing


class _TaskTrials:
    """Computes the targets of every task on every track that has its annotation."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._tasks = tasks
        self._accepted: set[str] = set()
        self._refused: dict[str, list[Problem]] = {}

    def run(self, track: Track, duration: float) -> Iterator[Problem]:
        """The annotations of a track of `duration` seconds that no task can use."""
        times = np.arange(0.0, duration, 1 / FRAMES)
        for field in track.annotations.given():
            try:
                check_annotation(track.annotations, field, duration)
            except TrackError as error:
                yield Problem(track.id, str(error), "annotations")
                continue
            for task in (task for task in self._tasks if task.annotation == field):
                try:
                    task.targets(track.annotations, times if task.level == "frame" else None)
                    self._accepted.add(task.name)
                except TrackError as error:
                    problem = Problem(track.id, f"task '{task.name}': {error}", "tasks")
                    self._refused.setdefault(task.name, []).append(problem)

    def refusals(self) -> Iterator[Problem]:
        """What tasks refused; one problem for a task that refused every track."""
        for name, problems in self._refused.items():
            if name in self._accepted or len(problems) == 1:
                yield from problems
            else:
                first = f"the first of {len(problems)}, '{problems[0].track}', {problems[0].what}"
                yield Problem("", f"no track is usable for task '{name}'; {first}", "tasks")
