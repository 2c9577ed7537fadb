"""Which works are heard in which split, and in which keys."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mirprobe.core.schema import SPLITS, Split
from mirprobe_tasks.datasets.scores.perform import SEED, clip, key_of, longest, passages
from mirprobe_tasks.datasets.scores.works import Work
from mirprobe_tasks.music.pitch import KEYS, Key

# Every second work of a composer and mode, in the order of the catalogue, is learned from; of the
# others about two in five are in the validation split.
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
    """One track: which passage of which work is played, in which key."""

    work: Work
    version: int
    passage: tuple[float, float]
    key: Key


def split_of(group: str) -> Split:
    """The split of a work or cycle; those that a later corpus adds are learned from."""
    return "test" if group in TEST else "valid" if group in VALID else "train"


def plan_tracks(works: Sequence[Work], versions: int) -> dict[Split, list[PlannedTrack]]:
    """What is played in each split: every version of one work before the next.

    Versions of a long work take its passages in turn. Each is transposed to the key of its mode
    that its split has least of, of those in which the work has not been heard yet; passages with
    and without a main key are counted apart, so that every key gets its share of the former. The
    first versions stay the same when more are asked for.
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
    heard: Counter[tuple[bool, Key]] = Counter()
    dealt: list[list[PlannedTrack]] = [[] for _ in works]
    for version in range(versions):
        for work, mine in zip(works, dealt, strict=True):
            options = passages(work)
            first = int(np.random.default_rng([SEED, *work.id.encode()]).integers(len(options)))
            passage = options[(first + version) % len(options)]
            keys = clip(work.keys, *passage)
            mode, main = longest(keys).split()[1], key_of(keys) != "X"
            known = Counter(take.key for take in mine)
            # min plan_tracks the first of equals, in the split's own order
            key = min(
                (key for key in order if key.mode == mode),
                key=lambda key: (known[key], heard[main, key]),
            )
            heard[main, key] += 1
            mine.append(PlannedTrack(work, version, passage, key))
    return [take for mine in dealt for take in mine]
