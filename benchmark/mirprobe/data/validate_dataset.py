"""Checks that a data set keeps the Dataset protocol: `mirprobe validate-dataset`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import isfinite
from typing import Any

from mirprobe.api.dataset import Dataset, DatasetInfo, faults_of, sheet_of, vocabularies_of
from mirprobe.core.check import Check, members_check, missing_members
from mirprobe.core.errors import ConfigError
from mirprobe.core.schema import SPLITS
from mirprobe.data.status import Problem, check
from mirprobe.data.tracks import (
    Tracks,
    limit_tracks,
    prepare_audio,
    read_splits,
    splits_hash,
    tracks_of,
)

_SHOWN = 2  # problems of a check that are named

_REMEDIES = {
    "splits": "give every split tracks, each id once, and all tracks of a group to one split",
    "audio": "replace these files or leave their tracks out",
    "annotations": "correct these annotations or leave their tracks out",
    "tasks": "write the annotations as the tasks read them (see mirprobe.Annotations)",
}


def validate_dataset(make: Callable[[], Dataset], limit: int | None = None) -> Iterator[Check]:
    """Check a data set.

    Args:
        make: builds the data set; called twice.
        limit: number of tracks of each split whose audio is opened; None for all.

    Yields:
        One result per check. If a member is wrong or the tracks cannot be listed, the checks end
        there.

    Raises:
        MirprobeError: `make` raises it.
    """
    dataset = make()
    members = _members(dataset)
    yield members
    if not members.passed:
        return
    try:
        parts = read_splits(dataset)
        again = read_splits(make())
    except ConfigError as error:
        yield Check("tracks", False, str(error))
        return
    tracks = _tracks(parts, again)
    yield tracks
    if not tracks.passed:
        return
    try:
        chosen = limit_tracks(dataset, limit, limit)
    except ConfigError:  # named below, as a problem of the splits
        chosen = {split: list(parts.get(split, ()))[:limit] for split in SPLITS}
    prepared = tracks_of(chosen)
    try:
        prepare_audio(dataset, prepared)
    except ConfigError as error:
        yield Check("preparation", False, str(error), "see `mirprobe data status`")
        return
    yield Check("preparation", True, f"audio of {len(prepared)} tracks")
    found = check(dataset, chosen)
    for name, remedy in _REMEDIES.items():
        yield _summary(name, [problem for problem in found if problem.check == name], remedy)


def _members(dataset: Dataset) -> Check:
    """Every member of the protocol exists and has the type that it declares."""
    if lacking := missing_members(dataset, ("name", "tags", "trim", "splits", "prepare"), Dataset):
        return lacking
    sheet, tags, trim = sheet_of(type(dataset)), dataset.tags, dataset.trim
    vocabularies: Any = vocabularies_of(dataset)
    faults: Any = faults_of(dataset)
    tests = {
        "name is not a string": isinstance(dataset.name, str) and dataset.name,
        "tags is not a tuple of different strings": _words(tags),
        "trim is not a number of seconds from 0": type(trim) in (int, float)
        and isfinite(trim)
        and trim >= 0,
        "splits or prepare is not a method": callable(dataset.splits) and callable(dataset.prepare),
        "sheet is not a DatasetInfo": sheet is None or isinstance(sheet, DatasetInfo),
        "vocabularies is not a mapping of fields to labels": isinstance(vocabularies, Mapping)
        and all(_words(labels) for labels in vocabularies.values()),
        "faults is not a mapping of track ids to reasons": isinstance(faults, Mapping),
    }
    found = f"{len(tags)} tags, trim {trim:g} s, {'a' if sheet else 'no'} DatasetInfo"
    return members_check(tests, found, Dataset)


def _words(value: object) -> bool:
    return (
        isinstance(value, tuple | list)
        and all(isinstance(word, str) and word for word in value)
        and len(set(value)) == len(value)
    )


def _tracks(parts: Tracks, again: Tracks) -> Check:
    """`splits` gives the same tracks from two instances."""
    whole = {split: parts.get(split, ()) for split in SPLITS}
    if splits_hash(whole) != splits_hash({split: again.get(split, ()) for split in SPLITS}):
        remedy = "fix the splits: by a list, a hash of the group, or a seeded generator"
        return Check("tracks", False, "two instances have different splits", remedy)
    sizes = ", ".join(f"{split} {len(tracks)}" for split, tracks in whole.items())
    fields = sorted({name for track in tracks_of(whole) for name in track.annotations.given()})
    return Check("tracks", True, f"{sizes}; annotated: {', '.join(fields) or 'nothing'}")


def _summary(name: str, problems: Sequence[Problem], remedy: str) -> Check:
    if not problems:
        return Check(name, True, "no problems")
    shown = [f"track '{one.track}': {one.what}" if one.track else one.what for one in problems]
    more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
    return Check(name, False, "; ".join(shown[:_SHOWN]) + more, remedy)
