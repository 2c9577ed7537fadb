"""The user's own data: a folder of audio with a table of labels, annotation files, or both.

A YAML file of a few lines describes it (`description.Description`). All of it is read and checked
when the data set is built, before any work.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mirprobe.api.dataset import DatasetInfo
from mirprobe.core.errors import ConfigError
from mirprobe.core.schema import SPLITS, Split, Track
from mirprobe_tasks.datasets.folder.description import Description, read_description
from mirprobe_tasks.datasets.folder.faults import Faults
from mirprobe_tasks.datasets.folder.tracks import FolderTrack, read_tracks
from mirprobe_tasks.datasets.splits import divide

__all__ = ["Folder"]

SEEDS = 1000
"""Seeds that are tried to name one that leaves no split empty."""


class Folder:
    """A user's own recordings: `folder:my.yaml`.

    It is called what the description calls it, or else its file, `my`, so that several can be
    joined or crossed. Without a `split` column the groups are divided by the description's seed and
    shares. Tags, genres and instruments are those that occur in any split, or those that the
    description names.
    """

    name: str = "folder"
    positional: tuple[str, ...] = ("config",)
    sheet = DatasetInfo(
        tracks=0,
        hours=None,
        gigabytes=None,
        licence="your own",
        source="your own files",
        obtain="describe them in a YAML file, at least `audio: FOLDER`, and name it: "
        "folder:my.yaml",
    )

    def __init__(self, root: Path, config: str = "") -> None:
        """Read the description and all that it names but the audio itself.

        Args:
            root: not used; the files stay where they are.
            config: the YAML file.

        Raises:
            ConfigError: lists all faults, with file and row.
        """
        if not config:
            raise ConfigError(f"data set 'folder': {self.sheet.obtain}")
        description = read_description(Path(str(config)).expanduser())
        faults = Faults()
        named_tracks = read_tracks(description, faults)
        _refuse_doubles(named_tracks, faults)
        self._splits = _divide(named_tracks, description, faults)
        faults.report(description.path)
        self.name = description.name
        self.root = description.audio
        self.trim = description.trim
        found = [named.track.annotations for named in named_tracks]
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
        }

    def splits(self) -> Mapping[Split, Sequence[Track]]:
        """Every track by split."""
        return self._splits

    def prepare(self, tracks: Sequence[Track]) -> Iterator[str]:
        """Nothing to do: the audio is there.

        Yields:
            The id of each track.
        """
        yield from (track.id for track in tracks)


def _refuse_doubles(named_tracks: Sequence[FolderTrack], faults: Faults) -> None:
    known: dict[str, str] = {}
    for named in named_tracks:
        first = known.setdefault(named.track.id, named.where)
        if first != named.where:
            faults.add(named.where, f"id '{named.track.id}' is that of {first} too; rename one")


def _divide(
    named_tracks: Sequence[FolderTrack], description: Description, faults: Faults
) -> Mapping[Split, Sequence[Track]]:
    """The splits that are given, or else a division by group; neither may be empty."""
    tracks = [named.track for named in named_tracks]
    if any(named.split for named in named_tracks):
        return _given(named_tracks, faults)
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
        description.path.name,
        f"split '{empty}' is empty when {groups} groups are divided by seed {description.seed}; "
        f"{remedy}",
    )
    return parts


def _by_seed(
    tracks: Sequence[Track], description: Description, seed: int
) -> Mapping[Split, Sequence[Track]]:
    return divide(tracks, name=f"folder {seed}", shares=description.shares)


def _given(named_tracks: Sequence[FolderTrack], faults: Faults) -> Mapping[Split, Sequence[Track]]:
    parts: dict[Split, list[Track]] = {split: [] for split in SPLITS}
    owners: dict[str, FolderTrack] = {}
    for named in named_tracks:
        if named.split is None:
            continue
        parts[named.split].append(named.track)
        owner = owners.setdefault(named.track.group, named)
        if owner.split != named.split:
            faults.add(
                named.where,
                f"group '{named.track.group}' is in {named.split} here and in {owner.split} in "
                f"{owner.where}; keep it in one split",
            )
    return parts
