"""Approximate randomisation: p of a difference between two encoders, for any metric of a corpus.

If two encoders were equally good, one might swap their predictions for a group of test tracks. The
p value is the share of such swaps whose difference is at least as large as the one found (Noreen,
Computer-Intensive Methods for Testing Hypotheses, 1989; Yeh, COLING 2000). It needs no
distribution, and the metric is that of the corpus, also where it is no mean over tracks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mirprobe.core.bootstrap import Statistic
from mirprobe.core.schema import Floats

DRAWS = 9_999
EXACT = 13
"""Up to so many groups all swaps are computed, otherwise `DRAWS` random ones."""
_ROWS = 256  # swaps in memory at once
_TOLERANCE = 1e-12


def swap_p_value(
    mixtures: Sequence[Statistic], groups: Sequence[Any] | NDArray[Any], draws: int = DRAWS
) -> float:
    """Two-sided p of the difference between two encoders, over swaps of their predictions.

    Args:
        mixtures: the metric of 2 n items: the n tracks as the first encoder predicts them, then the
            same tracks as the second one does. With several fitted probes, one for each pair of
            them; the difference is the mean over these pairs.
        groups: (n,) the group of each track, such as its artist. Groups are swapped as a whole.
        draws: number of random swaps if there are more than `EXACT` groups.

    Returns:
        At least 2 / 2**groups, or 1 / (draws + 1). A swap for which the metric is undefined counts
        as extreme. NaN if the difference is undefined.
    """
    names, codes = np.unique(np.asarray(groups), return_inverse=True)
    if len(names) <= EXACT:
        every = np.arange(2 ** len(names))[:, None] >> np.arange(len(names)) & 1
        kept = every[1:]  # the swap of everything among them; that of nothing is the found one
    else:
        kept = np.random.default_rng(0).integers(0, 2, (draws, len(names)))
    found = abs(_differences(mixtures, np.zeros((1, len(codes))))[0])
    if np.isnan(found):
        return float("nan")
    extreme = 1
    for start in range(0, len(kept), _ROWS):
        others = np.abs(_differences(mixtures, kept[start : start + _ROWS][:, codes]))
        extreme += int((~(others < found - _TOLERANCE)).sum())
    return extreme / (len(kept) + 1)


def _differences(mixtures: Sequence[Statistic], swapped: NDArray[Any]) -> Floats:
    """The difference of each row of (swaps, n): 1 for a track whose predictions are swapped."""
    first = np.concatenate([1 - swapped, swapped], axis=1).astype(np.float64)
    second = 1 - first
    both = [one.function(first) - one.function(second) for one in mixtures]
    return np.asarray(np.mean(both, axis=0))
