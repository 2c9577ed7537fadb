"""Nested random subsets of a training split: how a score depends on the number of labelled tracks.

The training tracks are put into a random order, group by group, and a subset is the begin of it.
Where each track has one class, the order is stratified: the first group of every class comes first,
then the groups of each class are spread evenly over the rest. The order depends on the tracks and
the number of the repeat only: all encoders get the same subsets.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mirprobe.api.task import Task
from mirprobe.core.errors import ConfigError, TrackError
from mirprobe.core.schema import Track
from mirprobe.probing.scratch import Scratch
from mirprobe.probing.split_data import SplitData


@dataclass(frozen=True, eq=False)
class Subset:
    """One subset of a training split.

    Attributes:
        name: as in the column `subset` of `scores.csv`.
        repeat: number of the order of the tracks.
        train: its tracks.
        valid: the validation tracks that belong to it.
    """

    name: str
    repeat: int
    train: SplitData
    valid: SplitData


@dataclass(frozen=True)
class FewLabels:
    """The subsets of a training split that are probed beside the whole.

    Attributes:
        sizes: numbers of tracks, increasing.
        shots: numbers of tracks of each class, increasing.
        repeats: random orders of the tracks.
        scaled: whether a subset has the same share of the validation tracks as of the training
            tracks; otherwise it has them all.
    """

    sizes: tuple[int, ...] = ()
    shots: tuple[int, ...] = ()
    repeats: int = 1
    scaled: bool = True

    def require(self, task: Task, train: Sequence[Track]) -> None:
        """Check that the subsets exist.

        Args:
            task: the task.
            train: tracks of the training split.

        Raises:
            ConfigError: there are fewer tracks than a subset has, a subset is smaller than the
                number of classes, or a task without classes is asked for shots.
        """
        if not (self.sizes or self.shots):
            return
        if self.sizes and self.sizes[-1] > len(train):
            raise ConfigError(
                f"train_tracks is {self.sizes[-1]}, and the training split has {len(train)} "
                "tracks; give fewer, or 'all'"
            )
        if not has_classes(task):
            if self.shots:
                raise ConfigError(
                    f"shots: task '{task.name}' has no single class a track; give train_tracks"
                )
            return
        counts = Counter(label for track in train if (label := _class_of(task, track)) >= 0)
        if self.sizes and self.sizes[0] < len(counts):
            raise ConfigError(
                f"train_tracks is {self.sizes[0]}, and the training tracks have {len(counts)} "
                f"classes of task '{task.name}'; give at least {len(counts)}"
            )
        for label, count in sorted(counts.items()):
            if self.shots and self.shots[-1] > count:
                raise ConfigError(
                    f"shots is {self.shots[-1]}, and the number of training tracks of class "
                    f"'{task.labels[label]}' of task '{task.name}' is {count}; give at most "
                    f"{min(counts.values())}"
                )

    def subsets(
        self, task: Task, train: SplitData, valid: SplitData, room: Scratch
    ) -> Iterator[Subset]:
        """The subsets, those of one order after the other.

        Args:
            task: decides whether they are stratified.
            train: the training split.
            valid: the validation split.
            room: for the clip vectors of the subsets.

        Raises:
            ConfigError: too few tracks of the training split can be used.
        """
        for repeat in range(self.repeats if self.sizes or self.shots else 0):
            order, checks = (_order(own, repeat, has_classes(task)) for own in (train, valid))
            wanted = [(str(size), begin(order, size)) for size in self.sizes]
            for shots in self.shots:
                own: list[int] = []
                for label in dict.fromkeys(label for label, _ in order):
                    own += begin([one for one in order if one[0] == label], shots)
                wanted.append((f"{shots} shots", own))
            usable, checkable = (sum(len(own) for _, own in one) for one in (order, checks))
            for name, tracks in wanted:
                own = begin(checks, max(1, round(len(tracks) / usable * checkable)))
                checked = valid.take(own, room) if self.scaled else valid
                yield Subset(name, repeat, train.take(tracks, room), checked)


FULL = FewLabels()
"""No subset."""


def has_classes(task: Task) -> bool:
    """Whether each track has one class."""
    return task.level == "clip" and task.loss == "multiclass"


def _class_of(task: Task, track: Track) -> int:
    """The class of a track; -1 outside the label space or if the annotation is malformed."""
    try:
        return int(task.targets(track.annotations, None))
    except TrackError:
        return -1


def _order(split: SplitData, repeat: int, classes: bool) -> list[tuple[int, list[int]]]:
    labels = split.targets[0].tolist() if classes else [0] * len(split.ids)
    return nested_order(split.groups, labels, repeat)


def nested_order(
    groups: Sequence[str], labels: Sequence[int], seed: int
) -> list[tuple[int, list[int]]]:
    """Class and tracks of each group in a random order whose begins are stratified.

    Args:
        groups: of each track.
        labels: class of each track. Those below 0 are left out: their tracks train nothing.
        seed: of the order.

    Returns:
        Groups of tracks, as indices. The class of a group is the most frequent one of its tracks.
    """
    rng = np.random.default_rng(seed)
    members: dict[str, list[int]] = {}
    for index, (group, label) in enumerate(zip(groups, labels, strict=True)):
        if label >= 0:
            members.setdefault(group, []).append(index)
    names = list(members)
    by_class: dict[int, list[list[int]]] = {}
    for place in rng.permutation(len(names)):
        own = members[names[place]]
        [(label, _)] = Counter(labels[index] for index in own).most_common(1)
        by_class.setdefault(label, []).append(own)
    placed = [
        (number > 0, (number + shift) / len(own), label, tracks)
        for label, own in by_class.items()
        for shift in [rng.random()]
        for number, tracks in enumerate(own)
    ]
    return [(label, tracks) for *_, label, tracks in sorted(placed)]


def begin(order: Sequence[tuple[int, Sequence[int]]], count: int) -> list[int]:
    """The tracks of the first groups that have at least `count` together.

    Raises:
        ConfigError: all groups have fewer.
    """
    found: list[int] = []
    for _, tracks in order:
        if len(found) >= count:
            break
        found += tracks
    if len(found) < count:
        raise ConfigError(
            f"a subset of {count} training tracks needs more than the {len(found)} that can be "
            "used; give fewer"
        )
    return found
