"""The tracks of a run: a limit per split, their audio, and a hash of their ids."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from numbers import Real
from pathlib import Path
from typing import Any

from tqdm import tqdm

from mirprobe.api.dataset import Dataset, is_text
from mirprobe.api.specs import nearest
from mirprobe.core.errors import ConfigError, PluginError, plugin_errors
from mirprobe.core.hashing import digest
from mirprobe.core.schema import SPLITS, Annotations, Split, Track

log = logging.getLogger(__name__)

Tracks = Mapping[Split, Sequence[Track]]

_REMEDY = "check it with `mirprobe validate-dataset`"
_KINDS: dict[str, tuple[type, ...]] = {
    "id": (str,),
    "audio": (Path,),
    "group": (str,),
    "annotations": (Annotations,),
    "start": (Real,),
    "stop": (Real, type(None)),
}
_FIELDS = [field.name for field in fields(Annotations)]
_UNKNOWN_FIELD = re.compile(r"Annotations\.__init__\(\) got an unexpected keyword argument '(\w+)'")


def tracks_of(splits: Tracks) -> list[Track]:
    """The tracks of all splits in one list."""
    return [track for split in SPLITS for track in splits.get(split, ())]


def read_splits(dataset: Dataset) -> dict[Split, list[Track]]:
    """The tracks that a data set lists, with the types of their fields checked.

    Raises:
        ConfigError: the data set raises an error, or lists an unknown split, no `Track`, or a field
            of a wrong type; the message names data set, track and field.
    """
    name = f"data set '{getattr(dataset, 'name', type(dataset).__name__)}'"
    try:
        with plugin_errors(f"{name} cannot list its tracks", "correct its method `splits`"):
            splits = {split: list(tracks) for split, tracks in dict(dataset.splits()).items()}
    except PluginError as error:
        found = _UNKNOWN_FIELD.search(str(error))
        if found is None:
            raise
        raise PluginError(
            f"{error}: Annotations has no field '{found[1]}', {nearest(found[1], _FIELDS)} A field "
            f"of your own goes into `extra`"
        ) from error
    for split, tracks in splits.items():
        if split not in SPLITS:
            raise ConfigError(f"{name}: split {split!r} is unknown; use {', '.join(SPLITS)}")
        for number, track in enumerate(tracks):
            if fault := _fault(track):
                shown = getattr(track, "id", None) or f"{number} of split {split}"
                raise ConfigError(f"{name}, track '{shown}': {fault}")
    return splits


def _fault(track: Any) -> str:
    """The first fault of a track, with the remedy; empty if there is none."""
    if not isinstance(track, Track):
        return f"is a {type(track).__name__}; return mirprobe.Track"
    for field, kinds in _KINDS.items():
        value = getattr(track, field)
        if not isinstance(value, kinds):
            wanted = {Path: "pathlib.Path", Annotations: "mirprobe.Annotations", Real: "number"}
            right = wanted.get(kinds[0], kinds[0].__name__)
            return f"{field} is a {type(value).__name__}; give a {right}"
    extra = track.annotations.extra
    if not isinstance(extra, Mapping | None):
        kind = type(extra).__name__
        return f"extra of its annotations is a {kind}; give a mapping of names to values"
    for name in extra or ():
        if name in _FIELDS or not isinstance(name, str):
            remedy = "give the field itself" if name in _FIELDS else "name it by a string"
            return f"extra of its annotations has the key {name!r}; {remedy}"
    return ""


def limit_tracks(dataset: Dataset, limit: int | None, test_limit: int | None = None) -> Tracks:
    """At most `limit` tracks of each split, or `test_limit` of the test split.

    A warning says how many tracks are left if `limit` shortens the test split too.

    Raises:
        ConfigError: as for `read_splits`, a split is empty, or two tracks share an id.
    """
    splits = read_splits(dataset)
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
    limits = {"train": limit, "valid": limit, "test": test_limit or limit}
    if test_limit is None and limit is not None and len(splits["test"]) > limit:
        counts = (f"{min(limit, len(splits[s]))} of {len(splits[s])} in {s}" for s in SPLITS)
        log.warning(
            "limit %d: the first tracks of every split of '%s' are used, %s; --test-limit limits "
            "the test split separately",
            limit,
            dataset.name,
            ", ".join(counts),
        )
    return {split: [*map(_absolute, list(splits[split])[: limits[split]])] for split in SPLITS}


def _absolute(track: Track) -> Track:
    """The track with an absolute path: an encoder may change the folder while others decode."""
    return replace(track, audio=track.audio.absolute())


def _warn_of_torn_groups(name: str, splits: Tracks) -> None:
    owners: dict[str, set[Split]] = {}
    for split, tracks in splits.items():
        for track in tracks:
            owners.setdefault(track.group, set()).add(split)
    torn = sorted(group for group, found in owners.items() if len(found) > 1)
    if torn:
        log.warning(
            "data set '%s': %s in more than one split: scores may be too high; `mirprobe data "
            "check` lists them",
            name,
            f"group '{torn[0]}' is"
            if len(torn) == 1
            else f"{len(torn)} groups, such as '{torn[0]}', are",
        )


def prepare_audio(dataset: Dataset, tracks: Sequence[Track]) -> None:
    """Make the audio files of tracks that are missing, with a progress bar.

    Raises:
        ConfigError: the data set raised another error, or its `prepare` yields nothing.
    """
    title = f"audio of {dataset.name}"
    with plugin_errors(f"data set '{dataset.name}' cannot make its audio", _REMEDY):
        prepared: object = dataset.prepare(tracks)
        if not isinstance(prepared, Iterable):
            raise PluginError(
                f"data set '{dataset.name}': `prepare` must yield the id of each track, but "
                f"returns {type(prepared).__name__}; write `yield track.id` where its audio exists"
            )
        for _ in tqdm(prepared, title, len(tracks), leave=False, disable=None):
            pass


def splits_hash(tracks: Tracks) -> str:
    """A hash of the track ids of every split."""
    return digest([[split, [track.id for track in tracks[split]]] for split in SPLITS])[:16]
