"""The tracks of each split: which passage of which work, in which key."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mirprobe.core.schema import SPLITS, Split
from mirprobe_tasks.datasets.scores.perform import SEED, clip, key_of, longest, passages
from mirprobe_tasks.datasets.scores.works import Work
from mirprobe_tasks.music.pitch import KEYS, Key

# Of each composer and mode, every second work in the order of the catalogue is for training; of the
# others, about two in five are for validation.
_VALID_BACH = ("145.5", "184.5", "281", "351")
_VALID_MONTEVERDI = ("3.6", "3.12", "3.14", "4.4", "4.10", "4.18", "4.19", "5.4")
_TEST_BACH = ("38.6", "65.2", "267", "277", "318")
_TEST_MONTEVERDI = ("3.2", "3.5", "3.8", "3.18", "4.3", "4.6", "4.12", "4.14", "4.15", "5.2")

VALID = frozenset(
    [f"bwv{number}" for number in _VALID_BACH]
    + [f"madrigal.{number}" for number in _VALID_MONTEVERDI]
)
TEST = frozenset(
    [f"bwv{number}" for number in _TEST_BACH]
    + [f"madrigal.{number}" for number in _TEST_MONTEVERDI]
)


@dataclass(frozen=True, eq=False)
class PlannedTrack:
    """One track: a passage of a work in a key."""

    work: Work
    version: int
    passage: tuple[float, float]
    key: Key


def split_of(group: str) -> Split:
    """The split of a work or cycle; works that a later corpus adds are for training."""
    return "test" if group in TEST else "valid" if group in VALID else "train"


def plan_tracks(works: Sequence[Work], versions: int) -> dict[Split, list[PlannedTrack]]:
    """The tracks of each split, all versions of one work in sequence.

    The versions of a long work take its passages in turn. Each version is transposed to the rarest
    key of its mode in the split, among those in which the work has not been played yet. Passages
    with and without a main key are counted separately, so that the keys of the former are balanced.
    More versions do not change the first ones.
    """
    return {
        split: _assign_keys(
            [work for work in works if split_of(work.group) == split], versions, split
        )
        for split in SPLITS
    }


def _assign_keys(works: Sequence[Work], versions: int, split: Split) -> list[PlannedTrack]:
    rng = np.random.default_rng([SEED, SPLITS.index(split)])
    order = [KEYS[int(place)] for place in rng.permutation(len(KEYS))]
    counts: Counter[tuple[bool, Key]] = Counter()
    planned: list[list[PlannedTrack]] = [[] for _ in works]
    for version in range(versions):
        for work, versions_of_work in zip(works, planned, strict=True):
            options = passages(work)
            first = int(np.random.default_rng([SEED, *work.id.encode()]).integers(len(options)))
            passage = options[(first + version) % len(options)]
            keys = clip(work.keys, *passage)
            mode, main = longest(keys).split()[1], key_of(keys) != "X"
            known = Counter(track.key for track in versions_of_work)
            # of equal keys, min takes the first in the order of the split
            key = min(
                (key for key in order if key.mode == mode),
                key=lambda key: (known[key], counts[main, key]),
            )
            counts[main, key] += 1
            versions_of_work.append(PlannedTrack(work, version, passage, key))
    return [track for versions_of_work in planned for track in versions_of_work]
