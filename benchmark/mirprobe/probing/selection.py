"""The rule by which validation chooses decodings, layers and poolings.

Weight decays and learning rates are chosen by the validation loss, in `lbfgs.py` and `adamw.py`.
The candidate with the highest main metric on the validation split wins, the first of equals. Values
of several seeds are averaged. An undefined value (NaN) is worse than any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike

from mirprobe.core.schema import Floats

DRAWS = 200  # of the validation groups, in the bootstrap of the choice
EQUAL_DIM = 64  # principal components of the last layer, with which encoders are compared

K = TypeVar("K")


def nan_is_worst(values: ArrayLike) -> Floats:
    """Metrics for comparison: an undefined value (NaN) counts as minus infinity."""
    known = np.asarray(values, dtype=np.float64)
    return np.where(np.isnan(known), -np.inf, known)


def best_on_validation(candidates: Mapping[K, Sequence[float]]) -> K:
    """The candidate that the module's rule chooses.

    Args:
        candidates: candidate -> its main metric on the validation split, one value a seed.
    """
    return max(candidates, key=lambda candidate: nan_is_worst(candidates[candidate]).mean())


def draw_groups(groups: Sequence[str], draws: int = DRAWS, seed: int = 0) -> Floats:
    """Bootstrap draws of tracks, in whole groups.

    Args:
        groups: of each track.
        draws: how many.
        seed: of the draws.

    Returns:
        (draws, tracks) how often each track counts.
    """
    names, codes = np.unique(np.asarray(groups), return_inverse=True)
    drawn = np.random.default_rng(seed).multinomial(
        len(names), np.full(len(names), 1 / len(names)), draws
    )
    return np.asarray(drawn[:, codes], dtype=np.float64)


def shares_of_choice(candidates: Mapping[K, Sequence[Floats]]) -> dict[K, float]:
    """How often the module's rule chooses each candidate, over draws of the validation groups.

    Args:
        candidates: candidate -> for each seed its main metric in each draw, (draws,).
    """
    means = [nan_is_worst(np.array(own)).mean(axis=0) for own in candidates.values()]
    chosen = np.argmax(means, axis=0)
    counts = np.bincount(chosen, minlength=len(means)) / len(chosen)
    return dict(zip(candidates, counts.tolist(), strict=True))
