"""Combinations of data sets: joined split by split, or trained on one and tested on another."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from mirprobe.api.dataset import Dataset
from mirprobe.core.errors import ConfigError
from mirprobe.core.schema import SPLITS, Split, Track
from mirprobe.data.perturbed_tracks import played_audio
from mirprobe.data.tracks import read_splits

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Member:
    """A track of one of the data sets.

    Attributes:
        origin: the data set.
        own: the track of the data set.
        track: the same track with `NAME/` before id and group, so that ids are unique.
    """

    origin: Dataset
    own: Track
    track: Track


Members = dict[Split, list[Member]]


class CombinedDataset:
    """Base of joined and crossed data sets: members in splits, and their audio.

    Attributes:
        name: the combined names of the data sets.
        tags: the tag vocabulary of the data sets, like every other member.
        trim: seconds at the start of each track that beat metrics ignore.
    """

    name: str
    tags: tuple[str, ...]
    trim: float

    @cached_property
    def members(self) -> Members:
        """The tracks of each split with their data sets."""
        raise NotImplementedError

    def splits(self) -> Mapping[Split, Sequence[Track]]:
        """Every track by split, ids and groups prefixed with `NAME/`.

        Raises:
            ConfigError: a group is in both the training and the test tracks.
        """
        return {split: [member.track for member in self.members[split]] for split in SPLITS}

    def prepare(self, tracks: Sequence[Track]) -> Iterator[str]:
        """Make the audio of `tracks` exist, data set by data set."""
        wanted = {track.id: track for track in tracks}
        chosen: dict[int, list[Member]] = {}
        for member in self._by_id.values():
            if track := wanted.get(member.track.id):
                own = replace(member.own, audio=track.audio)
                chosen.setdefault(id(member.origin), []).append(replace(member, own=own))
        for members in chosen.values():
            names = {member.own.id: member.track.id for member in members}
            for ready in members[0].origin.prepare([member.own for member in members]):
                yield names[ready]

    def played(self, track: Track, effect: str, strength: float) -> Path:
        """The audio file of a track as its data set plays it; see `Playable`."""
        member = self._by_id[track.id]
        return played_audio(member.origin, member.own, effect, strength)

    @cached_property
    def _by_id(self) -> Mapping[str, Member]:
        return {one.track.id: one for members in self.members.values() for one in members}


class JoinedDataset(CombinedDataset):
    """Data sets used as one: each split holds their tracks of that split.

    The members that a task reads (`tags`, `trim`, vocabularies) must be equal in all of them.
    """

    def __init__(self, parts: Sequence[Dataset]) -> None:
        """Join data sets.

        Raises:
            ConfigError: two data sets have the same name.
        """
        self.parts = list(parts)
        names = [part.name for part in parts]
        self.name = "+".join(names)
        if len(set(names)) < len(names):
            raise ConfigError(
                f"data set '{self.name}' names one twice; join different ones, or name them apart"
            )

    def __getattr__(self, name: str) -> Any:
        """A member that a task reads, which must be equal in all data sets.

        Raises:
            ConfigError: it differs.
        """
        if name.startswith("_") or name == "parts":
            raise AttributeError(name)
        first, *others = self.parts
        value = getattr(first, name)
        for other in others:
            if getattr(other, name) != value:
                raise ConfigError(
                    f"data sets '{first.name}' and '{other.name}' cannot be joined for this task: "
                    f"they differ in '{name}'; declare the same, or run the task on each"
                )
        return value

    @cached_property
    def members(self) -> Members:
        """The tracks of each split, data set by data set."""
        parts = [_members(part) for part in self.parts]
        found = {split: [m for part in parts for m in part[split]] for split in SPLITS}
        for split in SPLITS:
            rest = [m for other in SPLITS if other != split for m in found[other]]
            _report_namesakes(self.name, found[split], rest)
        return found


class CrossedDataset(CombinedDataset):
    """One data set to train and validate on, and another to test on.

    By default both are used completely: the first data set validates on its `valid` tracks and
    trains on all others, including its test split; the second is tested on all its tracks. With
    `test_tracks="test"` both keep their splits. Tasks are built with the second data set, which
    determines how scores are computed.
    """

    def __init__(self, train: Dataset, test: Dataset, test_tracks: str = "all") -> None:
        """Cross two data sets.

        Args:
            train: gives the splits `train` and `valid`.
            test: gives the split `test`.
            test_tracks: `all`, or `test`: `train` and `valid` of the first data set, and the test
                split of the second.
        """
        self.train = train
        self.test = test
        self.test_tracks = test_tracks
        self.name = f"{train.name} -> {test.name}"

    def __getattr__(self, name: str) -> Any:
        """A member that a task reads, from the data set that is tested on."""
        if name.startswith("_") or name == "test":
            raise AttributeError(name)
        return getattr(self.test, name)

    @cached_property
    def members(self) -> Members:
        """The tracks of each split.

        Raises:
            ConfigError: a group is in both data sets.
        """
        first, second = _members(self.train), _members(self.test)
        train, tested = list(first["train"]), list(second["test"])
        if self.test_tracks == "all":
            train += first["test"]
            tested = [member for split in SPLITS for member in second[split]]
        learned = {member.track.group for member in train + first["valid"]}
        torn = [m.own for m in tested if m.track.group in learned]
        if torn:
            raise ConfigError(
                f"data set '{self.name}': {len(torn)} test tracks are of a group that is trained "
                f"on, such as '{torn[0].id}' of '{torn[0].group}'; test on another data set, or "
                "only on its test split (test_tracks: test)"
            )
        _report_namesakes(self.name, train + first["valid"], tested)
        return {"train": train, "valid": first["valid"], "test": tested}


def _members(dataset: Dataset) -> Members:
    """The tracks of one data set, joined or plain."""
    if isinstance(dataset, CombinedDataset):
        return dataset.members
    name, splits = dataset.name, read_splits(dataset)
    return {
        split: [
            Member(dataset, own, replace(own, id=f"{name}/{own.id}", group=f"{name}/{own.group}"))
            for own in splits.get(split, ())
        ]
        for split in SPLITS
    }


def _report_namesakes(name: str, these: Sequence[Member], those: Sequence[Member]) -> None:
    """Warn of groups with the same name in two data sets and in different splits.

    They may be the same artist, or only a number that both data sets use.
    """
    origins: dict[str, set[str]] = {}
    for member in these:
        origins.setdefault(member.own.group, set()).add(member.origin.name)
    shared = sorted(
        {m.own.group for m in those if origins.get(m.own.group, set()) - {m.origin.name}}
    )
    if shared:
        log.warning(
            "data set '%s': %d groups have the same name in two data sets but are in different "
            "splits, such as '%s'; check that they are not the same artist or work",
            name,
            len(shared),
            shared[0],
        )
