"""The user's own data: a folder of audio with a table of labels, annotation files, or both.

A short YAML file describes the data (`description.Description`). Everything except the audio is
read and checked when the data set is built.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from math import inf
from pathlib import Path

from mirprobe.api.dataset import DatasetInfo
from mirprobe.core.errors import ConfigError
from mirprobe.core.schema import SPLITS, Split, Track
from mirprobe_tasks.datasets.folder.description import LABELLED, Description, read_description
from mirprobe_tasks.datasets.folder.faults import Faults
from mirprobe_tasks.datasets.folder.rows import FOLD, split_in_path
from mirprobe_tasks.datasets.folder.tracks import FolderTrack, read_tracks
from mirprobe_tasks.datasets.splits import divide

__all__ = ["Folder"]

SEEDS = 1000
"""Number of seeds that are tried to suggest one with which no split is empty."""


class Folder:
    """Your own recordings, described in a YAML file: `folder:my.yaml`.

    The name is the one in the description, or that of the file, `my`, so that several data sets can
    be joined or crossed. Without a column `split`, groups are divided by seed and shares of the
    description. The vocabularies of tags, genres and instruments are those of the description, or
    the labels that occur in any split.
    """

    name: str = "folder"
    positional: tuple[str, ...] = ("config",)
    sheet = DatasetInfo(
        licence="your own",
        source="your own files",
        obtain="describe them in a YAML file, at least `audio: FOLDER`, and name it: "
        "folder:my.yaml",
    )

    def __init__(self, root: Path, config: str = "") -> None:
        """Read the description and everything that it names except the audio.

        Args:
            root: not used; the files stay in their folder.
            config: the YAML file.

        Raises:
            ConfigError: the data have faults; the message lists them with file and row.
        """
        if not config:
            raise ConfigError(f"data set 'folder': {self.sheet.obtain}")
        description = read_description(Path(str(config)).expanduser())
        faults = Faults(description.path)
        folder_tracks = read_tracks(description, faults)
        _refuse_doubles(folder_tracks, faults)
        _refuse_shared_audio(folder_tracks, faults)
        self._splits = _divide(folder_tracks, description, faults)
        faults.report()
        self.name = description.name
        self.root = description.audio
        self.trim = description.trim
        found = [one.track.annotations for one in folder_tracks]
        tags = {tag for annotations in found for tag in annotations.tags or ()}
        columns = description.columns.get("tags")
        if isinstance(columns, tuple):
            tags.update(columns)
        self.tags: tuple[str, ...] = description.labels.get("tags", tuple(sorted(tags)))
        occurring = {
            "genre": {annotations.genre for annotations in found},
            "instrument": {annotations.instrument for annotations in found},
        }
        self.vocabularies: Mapping[str, tuple[str, ...]] = {
            field: description.labels.get(field, tuple(sorted(filter(None, labels))))
            for field, labels in occurring.items()
            if labels - {None}
        } | {field: labels for field, labels in description.labels.items() if field not in LABELLED}

    def splits(self) -> Mapping[Split, Sequence[Track]]:
        """The tracks of each split."""
        return self._splits

    def prepare(self, tracks: Sequence[Track]) -> Iterator[str]:
        """Nothing to do, since the audio exists.

        Yields:
            The id of each track.
        """
        yield from (track.id for track in tracks)


def _refuse_doubles(folder_tracks: Sequence[FolderTrack], faults: Faults) -> None:
    known: dict[str, str] = {}
    for one in folder_tracks:
        first = known.setdefault(one.track.id, one.where)
        if first != one.where:
            faults.add(f"id '{one.track.id}' is also that of {first}; rename one", one.where)


def _refuse_shared_audio(folder_tracks: Sequence[FolderTrack], faults: Faults) -> None:
    """Refuse rows that read the same part of a file, if they are equal or in different groups."""
    rows: dict[Path, list[tuple[float, float, FolderTrack]]] = {}
    for one in folder_tracks:
        span = (one.track.start, inf if one.track.stop is None else one.track.stop)
        rows.setdefault(one.track.audio, []).append((*span, one))
    for of_file in rows.values():
        of_file.sort(key=lambda row: row[:2])
        longest = of_file[0]
        for before, row in pairwise(of_file):
            one, first = row[2], longest[2]
            if row[:2] == before[:2] and one.track.id != before[2].track.id:
                faults.add(f"has the same audio as {before[2].where}; remove one", one.where)
            elif row[0] < longest[1] and one.track.group != first.track.group:
                faults.add(
                    f"overlaps {first.where}, in another group; give both one group", one.where
                )
            longest = max(longest, row, key=lambda row: row[1])


def _divide(
    folder_tracks: Sequence[FolderTrack], description: Description, faults: Faults
) -> Mapping[Split, Sequence[Track]]:
    """The given splits, or a division by group; no split may be empty."""
    tracks = [one.track for one in folder_tracks]
    if any(one.split for one in folder_tracks):
        return _given(folder_tracks, faults)
    named = [split_in_path(track.audio, description.audio) for track in tracks]
    if len(set(named) - {None}) > 1 and 2 * named.count(None) < len(named):
        faults.add(
            "the paths of audio files name splits, and no split is given; name their folders "
            "train, valid and test, or name the splits in a column 'split' of a table",
        )
    depth = len(description.audio.parts)
    parents = {part for track in tracks for part in track.audio.parent.parts[depth:]}
    folds = sorted(filter(FOLD.fullmatch, parents))
    grouped = description.table and len({track.group for track in tracks}) < len(tracks)
    if len(folds) > 1 and not grouped:
        faults.add(
            f"the folders {', '.join(folds)} divide the data already; name them train, valid and "
            "test, or name the splits in a column 'split' of a table",
        )
    if faults:
        return {split: [] for split in SPLITS}
    parts = _by_seed(tracks, description, description.seed)
    if all(parts.values()):
        return parts
    groups = len({track.group for track in tracks})
    seeds = range(SEEDS) if groups >= len(SPLITS) else ()
    seed = next((s for s in seeds if all(_by_seed(tracks, description, s).values())), None)
    remedy = "name a column as 'split'" if seed is None else f"write `seed: {seed}`"
    empty = next(split for split in SPLITS if not parts[split])
    faults.add(
        f"split '{empty}' is empty when {groups} groups are divided by seed {description.seed}; "
        f"{remedy}",
    )
    return parts


def _by_seed(
    tracks: Sequence[Track], description: Description, seed: int
) -> Mapping[Split, Sequence[Track]]:
    return divide(tracks, name=f"folder {seed}", shares=description.shares)


def _given(folder_tracks: Sequence[FolderTrack], faults: Faults) -> Mapping[Split, Sequence[Track]]:
    parts: dict[Split, list[Track]] = {split: [] for split in SPLITS}
    owners: dict[str, FolderTrack] = {}
    for one in folder_tracks:
        if one.split is None:
            continue
        parts[one.split].append(one.track)
        owner = owners.setdefault(one.track.group, one)
        if owner.split != one.split:
            faults.add(
                f"group '{one.track.group}' is in {one.split} here and in {owner.split} in "
                f"{owner.where}; keep it in one split",
                one.where,
            )
    return parts
