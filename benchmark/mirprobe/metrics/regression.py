"""Regression metrics over a corpus of tracks with one number each.

Conventions: R2, the coefficient of determination, is 1 minus the ratio of the squared error to the
squared deviation of the references from their mean. 1 is perfect; predicting the mean gives 0, and
worse estimates are negative. R2 does not depend on the scale of the numbers. It is undefined (NaN)
if all references are equal. It equals scikit-learn's r2_score with force_finite=False for tracks
repeated by their counts.

Source: Draper & Smith, Applied Regression Analysis, 3rd edition, 1998; for emotion in music,
Soleymani et al., 1000 Songs for Emotional Analysis of Music, CrowdMM 2013.
"""

from __future__ import annotations

import numpy as np

from mirprobe.core.bootstrap import Statistic
from mirprobe.core.schema import Floats


def r2(references: Floats, estimates: Floats) -> Statistic:
    """R2 over the tracks.

    Args:
        references: (tracks,) annotated values.
        estimates: (tracks,) predicted values, in the same unit.

    Raises:
        ValueError: the shapes differ.
    """
    if references.shape != estimates.shape:
        raise ValueError(f"{references.shape} references and {estimates.shape} estimates differ")
    # centring keeps the difference of squares below precise
    centred = references - references.mean()
    errors = np.square(estimates - references)

    def statistic(counts: Floats) -> Floats:
        n = counts.sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            square = counts @ np.square(centred)
            spread = square - np.square(counts @ centred) / n
            # if all references are equal, only rounding errors remain
            spread = np.where(spread > 1e-12 * square, spread, np.nan)
            return np.asarray(1 - (counts @ errors) / spread, dtype=np.float64)

    return Statistic(statistic, len(references), limits=(-np.inf, 1.0))
