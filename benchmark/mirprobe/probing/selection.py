"""The rule by which validation chooses: learning rates, decodings, layers, sources of clip vectors.

The candidate with the highest main metric on the validation split wins, the first of equals. Values
of several seeds are averaged. An undefined value (NaN) is worse than any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, isnan
from typing import TypeVar

import numpy as np

K = TypeVar("K")


def nan_is_worst(value: float) -> float:
    """A metric for comparison: an undefined value (NaN) counts as minus infinity."""
    return -inf if isnan(value) else value


def best_on_validation(candidates: Mapping[K, Sequence[float]]) -> K:
    """The candidate that the module's rule chooses.

    Args:
        candidates: candidate -> its main metric on the validation split, one value a seed.
    """
    return max(
        candidates,
        key=lambda candidate: np.mean([nan_is_worst(value) for value in candidates[candidate]]),
    )
