"""ROC-AUC of a similarity measure that separates two kinds of pairs.

ROC-AUC is the probability that a pair of the first kind is more similar than a pair of the second
kind; ties count half (Mann & Whitney, 1947). 0.5 is chance, 1 is perfect.
"""

from __future__ import annotations

import numpy as np

from mirprobe.core.schema import Floating, Floats


def auc(same: Floating, other: Floating) -> Floats:
    """ROC-AUC over the first axis.

    Args:
        same: (n, ...) similarities of the pairs that should be more similar, n >= 1.
        other: (m, ...) similarities of the other pairs, m >= 1.

    Returns:
        (...) one value for each index of the other axes.
    """
    from scipy.stats import rankdata

    n, m = len(same), len(other)
    ranks = rankdata(np.concatenate([same, other]), axis=0)[:n]
    return np.asarray((ranks.sum(axis=0) - n * (n + 1) / 2) / (n * m), dtype=np.float64)


def unit(vectors: Floating, axis: int = -1) -> Floats:
    """Vectors scaled to length 1; a zero vector is unchanged."""
    values = np.asarray(vectors, dtype=np.float64)
    length = np.linalg.norm(values, axis=axis, keepdims=True)
    return np.asarray(values / np.where(length > 0, length, 1.0))
