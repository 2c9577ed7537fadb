"""Seeded draws: every choice of the composer goes through an explicit generator."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from mirprobe.core.schema import SPLITS, Split

T = TypeVar("T")

SEED = 20_240
"""The seed of the data set; with the split, the index and the concern it makes every stream."""

# Shares of the hash space that belong to train, valid and test, in tenths.
_BOUNDS: dict[Split, tuple[int, int]] = {"train": (0, 5), "valid": (5, 7), "test": (7, 10)}


def stream(split: Split, index: int, concern: str) -> np.random.Generator:
    """A generator of its own for one concern of one piece.

    Separate streams keep the rest of a piece as it is when one part of the composer changes.
    """
    return np.random.default_rng([SEED, SPLITS.index(split), index, *concern.encode()])


def pick(rng: np.random.Generator, options: Sequence[T], weights: Sequence[float] = ()) -> T:
    """One of `options`, with probability proportional to `weights` (equal where empty).

    Several times faster on short lists than `Generator.choice`.
    """
    if not weights:
        return options[int(rng.random() * len(options))]
    rest = rng.random() * sum(weights)
    for option, weight in zip(options, weights, strict=True):
        rest -= weight
        if rest < 0:
            return option
    return options[-1]


def chance(rng: np.random.Generator, probability: float) -> bool:
    """True with the given probability."""
    return bool(rng.random() < probability)


def home(name: str) -> Split:
    """The one split that may use the template called `name`.

    The space of accompaniment patterns and phrases is divided by a hash of their content, so
    that no template, however often it is drawn, is heard in two splits.
    """
    tenth = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big") % 10
    return next(split for split, (low, high) in _BOUNDS.items() if low <= tenth < high)
