"""Metrics of regression over a corpus of tracks with one number each.

Conventions: R2, the coefficient of determination: 1 minus the ratio of the squared error to the
squared deviation of the references from their mean, both over the counted tracks. 1 is perfect; an
estimate that is the mean of these tracks has 0, a worse one a negative value. R2 does not depend on
the scale of the numbers. It is undefined (NaN) if all counted references are equal. It equals
scikit-learn's r2_score with force_finite=False of tracks repeated as often as they count.

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
        references: (tracks,) the truth.
        estimates: (tracks,) in the same unit.

    Raises:
        ValueError: the shapes differ.
    """
    if references.shape != estimates.shape:
        raise ValueError(f"{references.shape} references and {estimates.shape} estimates differ")
    # centred on the mean of all tracks, so that the difference of squares below loses no digits
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

    return statistic
