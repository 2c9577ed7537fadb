"""The tracks of a run: a limit per split, their audio, and a hash of their ids."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from tqdm import tqdm

from mirprobe.api.dataset import Dataset, is_text
from mirprobe.core.errors import ConfigError, plugin_errors
from mirprobe.core.hashing import digest
from mirprobe.core.schema import SPLITS, Split, Track

log = logging.getLogger(__name__)

Tracks = Mapping[Split, Sequence[Track]]

_REMEDY = "check it with `mirprobe validate-dataset`"


def tracks_of(splits: Tracks) -> list[Track]:
    """The tracks of all splits in one list."""
    return [track for split in SPLITS for track in splits.get(split, ())]


def limit_tracks(dataset: Dataset, limit: int | None) -> Tracks:
    """At most `limit` tracks of each split.

    Raises:
        ConfigError: the data set raised an error or returned no mapping, a split is empty, or two
            tracks share an id.
    """
    name = getattr(dataset, "name", type(dataset).__name__)
    with plugin_errors(f"data set '{name}' cannot list its tracks", _REMEDY):
        splits = dict(dataset.splits())
    for split in SPLITS:
        if not splits.get(split):
            raise ConfigError(f"data set '{dataset.name}' has no tracks in split '{split}'")
    known: set[str] = set()
    for track in tracks_of(splits):
        if track.id in known:
            raise ConfigError(f"data set '{dataset.name}' has two tracks '{track.id}'; rename one")
        known.add(track.id)
        if not is_text(track.id):
            raise ConfigError(
                f"data set '{dataset.name}': the id {track.id!r} of a track is not one line of "
                "text in UTF-8; rename its file"
            )
    _warn_of_torn_groups(dataset.name, splits)
    return {split: list(splits[split])[:limit] for split in SPLITS}


def _warn_of_torn_groups(name: str, splits: Tracks) -> None:
    owners: dict[str, set[Split]] = {}
    for split, tracks in splits.items():
        for track in tracks:
            owners.setdefault(track.group, set()).add(split)
    torn = sorted(group for group, found in owners.items() if len(found) > 1)
    if torn:
        log.warning(
            "data set '%s': %d groups, such as '%s', are in more than one split: scores may be too "
            "high; `mirprobe data check` lists them",
            name,
            len(torn),
            torn[0],
        )


def prepare_audio(dataset: Dataset, tracks: Sequence[Track]) -> None:
    """Make the audio files of tracks that are missing, with a progress bar.

    Raises:
        ConfigError: the data set raised another error.
    """
    title = f"audio of {dataset.name}"
    with plugin_errors(f"data set '{dataset.name}' cannot make its audio", _REMEDY):
        for _ in tqdm(dataset.prepare(tracks), title, len(tracks), leave=False, disable=None):
            pass


def splits_hash(tracks: Tracks) -> str:
    """A hash of the track ids of every split."""
    return digest([[split, [track.id for track in tracks[split]]] for split in SPLITS])[:16]
