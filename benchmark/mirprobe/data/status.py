"""Which data sets are there, what of them is missing and what is broken."""

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
from mirprobe.core.schema import SPLITS, Floats, Split, Track
from mirprobe.data import tracks as data_tracks
from mirprobe.data.audio import prefetch
from mirprobe.data.paths import DATA_HOME, dataset_root
from mirprobe.data.tracks import splits_hash

RATE = 16_000
"""Hz that audio is compared at."""

FRAMES = 25.0
"""Frames a second at which frame-wise annotations are tried."""


@dataclass(frozen=True)
class DataFolders:
    """Where data sets lie.

    Attributes:
        data_home: those that no program here can make, one folder each.
        cache_dir: those that are rendered here lie in the cache.
    """

    data_home: Path = DATA_HOME
    cache_dir: Path = Path("embeddings_cache")

    def root(self, spec: str) -> Path:
        """The folder of a data set.

        Raises:
            ConfigError: the name is unknown.
        """
        return dataset_root(spec, cache_dir=self.cache_dir, data_home=self.data_home)


@dataclass(frozen=True)
class DatasetStatus:
    """A registered data set.

    Attributes:
        name: registered.
        sheet: what its class says of it; None where it says nothing.
        root: its folder.
        present: whether anything lies in the folder.
    """

    name: str
    sheet: DatasetInfo | None
    root: Path
    present: bool


@dataclass(frozen=True)
class DatasetFiles:
    """What is there of a data set.

    Attributes:
        status: the data set.
        splits: the tracks of each; empty where `problem` says why they are not known.
        missing: audio files that are not there.
        problem: why its tracks cannot be listed; empty where they can.
    """

    status: DatasetStatus
    splits: Mapping[Split, Sequence[Track]]
    missing: tuple[Path, ...]
    problem: str

    @property
    def hash(self) -> str:
        """Of the ids of every split, as it stands in the rows of a run on all of them."""
        return splits_hash(self.splits)


@dataclass(frozen=True)
class Problem:
    """Something that is broken.

    Attributes:
        track: its id; empty where it concerns the data set.
        what: in one line.
    """

    track: str
    what: str


def dataset_status(spec: str, folders: DataFolders) -> DatasetStatus:
    """The data set of a specification, `name` or `name:option=value,...`.

    Raises:
        ConfigError: the name is unknown.
    """
    name = spec_name(spec)
    root = folders.root(spec)
    there = root.is_dir() and any(root.iterdir())
    return DatasetStatus(name, sheet_of(DATASETS.get(spec)), root, there)


def all_statuses(folders: DataFolders) -> list[DatasetStatus]:
    """Every registered data set, by name."""
    return [dataset_status(name, folders) for name in DATASETS.names()]


def open_dataset(spec: str, folders: DataFolders) -> Dataset:
    """Build a data set in its folder.

    Raises:
        ConfigError: the name is unknown or an option refused.
    """
    return DATASETS.create(spec, root=folders.root(spec))


def dataset_files(spec: str, folders: DataFolders) -> DatasetFiles:
    """What is there of a data set, as far as shows without reading audio.

    Raises:
        ConfigError: the name is unknown or an option refused.
    """
    held, dataset = dataset_status(spec, folders), open_dataset(spec, folders)
    held = replace(held, root=root_of(dataset) or held.root)
    try:
        tracks = all_tracks(dataset)
    except ConfigError as error:
        return DatasetFiles(held, {}, (), str(error))
    missing = tuple(track.audio for track in tracks if not track.audio.is_file())
    return DatasetFiles(held, dataset.splits(), missing, "")


def prepare_dataset(dataset: Dataset) -> bool:
    """Fetch a data set if it can be, and make its audio exist, with a bar.

    Returns:
        Whether it can be fetched; one that cannot is prepared from what lies there already.

    Raises:
        ConfigError: files or audio cannot be had; the message says how to get them by hand.
    """
    fetched = isinstance(dataset, Downloadable)
    if isinstance(dataset, Downloadable):
        dataset.download()
    data_tracks.prepare_audio(dataset, all_tracks(dataset))
    return fetched


def all_tracks(dataset: Dataset) -> list[Track]:
    """The tracks of all splits."""
    parts = dataset.splits()
    return [track for split in SPLITS for track in parts.get(split, ())]


def check(dataset: Dataset) -> list[Problem]:
    """Open every file and annotation, with a bar, and list all that is broken.

    Found are annotations that cannot be read (a data set's own `faults`, track -> reasons), that
    lie outside the audio, or that a task which learns from them refuses; audio that is missing,
    truncated, silent or no audio; the same audio twice; a group or an id on both sides of a split;
    an empty split.

    Raises:
        ConfigError: the tracks cannot even be listed.
    """
    parts = dataset.splits()
    faults = faults_of(dataset)
    found = [Problem(track, reason) for track, reasons in faults.items() for reason in reasons]
    found.extend(_divided(parts))
    tracks = all_tracks(dataset)
    tasks, refused = _tasks(dataset, tracks)
    found.extend(refused)
    split_of = {id(track): split for split in SPLITS for track in parts.get(split, ())}
    heard: dict[str, Track] = {}
    trials = _Trials(tasks)
    loaded = prefetch(tracks, RATE)
    bar = tqdm(tracks, f"checking {dataset.name}", leave=False, disable=None)
    for track, audio in zip(bar, loaded, strict=True):
        if isinstance(audio, TrackError):
            found.append(Problem(track.id, str(audio)))
            continue
        twin = heard.setdefault(hashlib.sha256(audio.data).hexdigest(), track)
        if twin is not track:
            split, other = split_of[id(track)], split_of[id(twin)]
            where = "" if split == other else f", which is in split '{other}', this in '{split}'"
            found.append(Problem(track.id, f"the same audio as track '{twin.id}'{where}"))
        if track.id not in faults and not _given(track):
            found.append(Problem(track.id, "has no annotation at all"))
        found.extend(trials.of(track, len(audio) / RATE))
    found.extend(trials.useless())
    return found


def _given(track: Track) -> dict[str, object]:
    """The annotations that a track has."""
    return track.annotations.given()


def _divided(parts: Mapping[Split, Sequence[Track]]) -> Iterator[Problem]:
    """What is wrong with the division into splits."""
    ids: set[str] = set()
    groups: dict[str, Split] = {}
    for split in SPLITS:
        if not parts.get(split):
            yield Problem("", f"split '{split}' has no tracks")
        for track in parts.get(split, ()):
            if track.id in ids:
                yield Problem(track.id, "another track has the same id")
            ids.add(track.id)
            first = groups.setdefault(track.group, split)
            if first != split:
                yield Problem(
                    track.id, f"its group '{track.group}' is in '{first}' and in '{split}'"
                )


def _tasks(dataset: Dataset, tracks: Sequence[Track]) -> tuple[list[Task], list[Problem]]:
    """The tasks that learn from an annotation which some track has, and why others refuse."""
    given = {name for track in tracks for name in _given(track)}
    tasks: list[Task] = []
    refused: list[Problem] = []
    for name in TASKS.names():
        if getattr(TASKS.get(name), "annotation", None) not in given:
            continue
        try:
            tasks.append(TASKS.create(name, dataset))
        except ConfigError as error:
            refused.append(Problem("", f"task '{name}': {error}"))
    return tasks, refused


class _Trials:
    """Annotations shown to the tasks that learn from them."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._tasks = tasks
        self._served: set[str] = set()
        self._refused: dict[str, list[Problem]] = {}

    def of(self, track: Track, duration: float) -> Iterator[Problem]:
        """What is wrong with the annotations of a track of `duration` seconds, but for tasks."""
        times = np.arange(0.0, duration, 1 / FRAMES)
        for field in _given(track):
            try:
                check_annotation(track.annotations, field, duration)
            except TrackError as error:
                yield Problem(track.id, str(error))
                continue
            for task in self._tasks:
                if task.annotation == field:
                    self._try(task, track, times if task.level == "frame" else None)

    def useless(self) -> Iterator[Problem]:
        """What tasks refused; one line for a task that refused every track it was shown."""
        for name, findings in self._refused.items():
            if name in self._served or len(findings) == 1:
                yield from findings
            else:
                yield Problem(
                    "",
                    f"no track serves task '{name}'; the first of {len(findings)}, "
                    f"'{findings[0].track}', {findings[0].what}",
                )

    def _try(self, task: Task, track: Track, times: Floats | None) -> None:
        try:
            task.targets(track.annotations, times)
        except TrackError as error:
            finding = Problem(track.id, f"task '{task.name}': {error}")
            self._refused.setdefault(task.name, []).append(finding)
        else:
            self._served.add(task.name)
