"""Seeded random choices with explicit generators."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from mirprobe.core.schema import SPLITS, Split

T = TypeVar("T")

# Tenths of the hash space that belong to each split.
_BOUNDS: dict[Split, tuple[int, int]] = {"train": (0, 5), "valid": (5, 7), "test": (7, 10)}


def stream(seed: int, split: Split, index: int, aspect: str) -> np.random.Generator:
    """The generator for one aspect of one piece, such as `"harmony"`.

    Since each aspect has its generator, a change in one part of the composer affects no other part.
    """
    return np.random.default_rng([seed, SPLITS.index(split), index, *aspect.encode()])


def pick(rng: np.random.Generator, options: Sequence[T], weights: Sequence[float] = ()) -> T:
    """One of `options`, with probability proportional to `weights` (equal if empty).

    On short lists this is several times faster than `Generator.choice`.
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


def split_of_template(name: str) -> Split:
    """The split to which the template with this name belongs.

    A hash of the name assigns each accompaniment pattern and each phrase to one split, so that no
    template occurs in two splits.
    """
    tenth = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big") % 10
    return next(split for split, (low, high) in _BOUNDS.items() if low <= tenth < high)
