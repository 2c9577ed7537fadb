"""What an effect on the audio does to embeddings, without a probe.

Invariance: how near the embedding of the disturbed track is to that of the undisturbed one, by
cosine, against the cosine between different tracks. Equivariance: how well a linear map, which is
fitted on training tracks, computes the embedding of the disturbed track from the undisturbed one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from mirprobe.core.bootstrap import Statistic
from mirprobe.core.schema import Floats

Vectors = NDArray[np.floating]
Pair = tuple[Vectors, Vectors]
"""Embeddings of the same tracks before and after the effect, (tracks, dim) each."""

PENALTIES = tuple(10.0**power for power in range(-8, 3))
"""Of the linear map (ridge regression), relative to the largest squared singular value."""


def invariance(test: Pair, groups: Sequence[str]) -> dict[str, Statistic]:
    """Mean cosine before and after, that to other tracks, and `(same - other) / (1 - other)`.

    Args:
        test: embeddings of the test tracks.
        groups: of each track; tracks of one group are not compared.

    Returns:
        `cosine`, `other` and `invariance`: 1 for an encoder that the effect does not change, 0 if
        the disturbed track is no nearer than another one.
    """
    before, after = (
        own / np.linalg.norm(own, axis=1, keepdims=True).clip(1e-12)
        for own in (np.asarray(part, dtype=np.float64) for part in test)
    )
    names = np.asarray(groups)
    apart = names[:, None] != names
    same = (before * after).sum(axis=1)
    others = ((before @ after.T) * apart).sum(axis=1) / apart.sum(axis=1).clip(1)

    def share(counts: Floats) -> Floats:
        one, other = counts @ same, counts @ others
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray((one - other) / (counts.sum(axis=1) - other))

    def mean(values: Floats) -> Statistic:
        return Statistic(lambda counts: counts @ values / counts.sum(axis=1), len(values))

    return {
        "cosine": mean(same),
        "other": mean(others),
        "invariance": Statistic(share, len(same)),
    }


def equivariance(train: Pair, valid: Pair, test: Pair) -> dict[str, Statistic]:
    """R2 on test tracks of a linear map from the embeddings before to those after.

    The penalty of the map is chosen on validation. The variance is that around the mean of the
    training tracks.

    Returns:
        `r2`; `r2_random` of a map that is fitted on pairs in random order; `r2_unmapped` of the
        undisturbed embedding itself.
    """
    rng = np.random.default_rng(0)
    shuffled = [(own[0], own[1][rng.permutation(len(own[1]))]) for own in (train, valid)]
    before, after = test
    centre = train[1].mean(axis=0, dtype=np.float64)
    estimates = {
        "r2": linear_map(train, valid)(before),
        "r2_random": linear_map(*shuffled)(before),
        "r2_unmapped": before,
    }
    return {name: _r2(found, after, centre) for name, found in estimates.items()}


def linear_map(train: Pair, valid: Pair) -> Callable[[Vectors], Floats]:
    """Ridge regression with intercept; validation chooses the penalty."""
    (x, y), (x_valid, y_valid) = (
        tuple(np.asarray(part, dtype=np.float64) for part in pair) for pair in (train, valid)
    )
    centre, target = x.mean(axis=0), y.mean(axis=0)
    left, values, right = np.linalg.svd(x - centre, full_matrices=False)
    along = left.T @ (y - target)

    def fitted(penalty: float) -> Callable[[Vectors], Floats]:
        weight = values / (values**2 + penalty * max(values[0] ** 2, 1e-300))

        def apply(vectors: Vectors) -> Floats:
            return np.asarray(target + ((vectors - centre) @ right.T * weight) @ along)

        return apply

    errors = [float(np.square(fitted(one)(x_valid) - y_valid).sum()) for one in PENALTIES]
    return fitted(PENALTIES[int(np.argmin(errors))])


def _r2(estimates: Vectors, truth: Vectors, centre: Floats) -> Statistic:
    error = np.square(np.asarray(truth, dtype=np.float64) - estimates).sum(axis=1)
    total = np.square(np.asarray(truth, dtype=np.float64) - centre).sum(axis=1)

    def statistic(counts: Floats) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(1 - counts @ error / (counts @ total))

    return Statistic(statistic, len(error))
