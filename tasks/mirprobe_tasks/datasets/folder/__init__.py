"""The user's own data: a folder of audio with a table of labels, annotation files, or both.

A short YAML file describes the data (`description.Description`). Everything except the audio is
read and checked when the data set is built.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, pairwise
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

COMPARED = 40
"""Number of such seeds of which the one is suggested whose splits are nearest to the shares."""

log = logging.getLogger(__name__)


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
    """The given splits, or a division by group; no split may be empty.

    A warning names splits with less than half of their share of the tracks.
    """
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
    sizes = _relative_sizes(parts, description.shares)
    short = [split for split, size in sizes.items() if size < 0.5]
    if not short:
        return parts
    groups = len({track.group for track in tracks})
    seed = _nearest_seed(tracks, description) if groups >= len(SPLITS) else None
    better = seed not in (None, description.seed)
    remedy = f"write `seed: {seed}`" if better else "name a column as 'split'"
    empty = next((split for split in SPLITS if not parts[split]), None)
    if empty:
        faults.add(
            f"split '{empty}' is empty when {groups} groups are divided by seed "
            f"{description.seed}; {remedy}",
        )
        return parts
    shown = " and ".join(
        f"{split} ({len(parts[split])} of {len(tracks)} tracks)" for split in short
    )
    log.warning("%s: less than half of its share is in %s; %s", description.path, shown, remedy)
    return parts


def _relative_sizes(
    parts: Mapping[Split, Sequence[Track]], shares: Sequence[float]
) -> dict[Split, float]:
    """The number of tracks of each split, divided by the number that its share demands."""
    tracks = sum(map(len, parts.values()))
    return {
        split: len(parts[split]) / tracks / share * sum(shares)
        for split, share in zip(SPLITS, shares, strict=True)
    }


def _nearest_seed(tracks: Sequence[Track], description: Description) -> int | None:
    """Of the first `COMPARED` seeds that leave no split empty, the one nearest to the shares."""

    def distance(seed: int) -> float:
        parts = _by_seed(tracks, description, seed)
        return sum(abs(size - 1) for size in _relative_sizes(parts, description.shares).values())

    filled = (s for s in range(SEEDS) if all(_by_seed(tracks, description, s).values()))
    return min(islice(filled, COMPARED), key=distance, default=None)


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
