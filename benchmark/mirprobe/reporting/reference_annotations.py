"""The references of a run: annotations of its test tracks, and what its tasks read of the data set.

They are in the folder of the run, in `references.json.gz`, so that predictions can be scored where
the data set is not.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mirprobe.api.dataset import Dataset, vocabularies_of
from mirprobe.core.annotations import from_json, to_json
from mirprobe.core.errors import ConfigError, StorageError, TrackError
from mirprobe.core.schema import Annotations, Split, Track
from mirprobe.reporting.run_tables import AnyPath, damaged, verify

REFERENCES = "references.json.gz"
_MEMBERS = ("name", "tags", "trim", "vocabularies")


class StoredDataset:
    """The test split of the data set of a run, without audio, as tasks are built with it.

    Attributes:
        name: of the data set.
        tags: its tag vocabulary.
        trim: seconds at the start of each track that beat metrics ignore.
        vocabularies: field of `Annotations` -> its labels.
        tracks: id -> test track; its annotations are those that the tasks of the run read.
    """

    name: str
    tags: tuple[str, ...]
    trim: float
    vocabularies: Mapping[str, tuple[str, ...]]

    def __init__(self, members: Mapping[str, Any], tracks: Mapping[str, Track]) -> None:
        vars(self).update(members)  # a member in which joined data sets differ is missing
        self.tracks = tracks

    def splits(self) -> Mapping[Split, Sequence[Track]]:
        """The test tracks; the other splits are empty."""
        return {"train": (), "valid": (), "test": tuple(self.tracks.values())}

    def prepare(self, tracks: Sequence[Track]) -> Iterator[str]:
        """Nothing: a run folder has no audio."""
        return iter(())


def references_bytes(
    dataset: Dataset, tracks: Sequence[Track], annotations: Collection[str]
) -> bytes:
    """The content of `references.json.gz`.

    Args:
        dataset: of the run.
        tracks: its test tracks.
        annotations: the fields of `Annotations`, or keys of `extra`, that the tasks read.
    """
    members: dict[str, Any] = {}
    for name in _MEMBERS:
        try:
            members[name] = (
                dict(vocabularies_of(dataset)) if name == "vocabularies" else getattr(dataset, name)
            )
        except ConfigError:  # joined data sets differ in it, so no task of the run reads it
            continue
    stored = {
        track.id: {"group": track.group, "annotations": _given(track.annotations, annotations)}
        for track in tracks
    }
    content = json.dumps({"dataset": members, "tracks": stored}, separators=(",", ":"))
    return gzip.compress(content.encode(), mtime=0)


def _given(annotations: Annotations, names: Collection[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in annotations.given().items():
        if name not in names:
            continue
        extra = name not in vars(annotations)
        try:
            own = to_json(Annotations(**({"extra": {name: value}} if extra else {name: value})))
        except TrackError:
            continue  # malformed: the task has left the track out, and the run says why
        if extra:
            found.setdefault("extra", {}).update(own["extra"])
        else:
            found |= own
    return found


def _tuples(value: Any) -> Any:
    """Lists of a JSON value as tuples, as data sets declare them."""
    if isinstance(value, Mapping):
        return {name: _tuples(one) for name, one in value.items()}
    return tuple(value) if isinstance(value, list) else value


def read_references(run: AnyPath) -> StoredDataset:
    """The data set of a run as it is stored in its folder.

    Raises:
        StorageError: the file is missing, damaged or was changed after the run.
    """
    path = run / REFERENCES
    verify(run, REFERENCES)
    try:
        values = json.loads(gzip.decompress(path.read_bytes()))
        members = {name: _tuples(value) for name, value in values["dataset"].items()}
        tracks = {
            track: Track(track, Path(), one["group"], from_json(one["annotations"]))
            for track, one in values["tracks"].items()
        }
    except FileNotFoundError as error:
        raise StorageError(
            f"{path}: no such file: the run is of an earlier version or incomplete; run the same "
            "command again, which computes no finished cell anew"
        ) from error
    except (OSError, EOFError, zlib.error, ValueError, RecursionError) as error:
        raise damaged(path, error) from error
    except (KeyError, TypeError, AttributeError) as error:
        raise damaged(path, "not a table of references") from error
    return StoredDataset(members, tracks)
