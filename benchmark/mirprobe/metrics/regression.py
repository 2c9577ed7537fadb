"""Metrics of regression over a corpus of tracks with one number each.

Conventions: R2, the coefficient of determination: 1 less the squared error as a share of the
references' squared deviation from their own mean, both over the counted tracks. 1 is perfect, 0 is
worth as much as knowing the mean of these tracks, below 0 is worth less. It does not depend on the
scale of the numbers. Undefined (NaN) where the counted references are all the same. It is
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
        ValueError: shapes that differ.
    """
    if references.shape != estimates.shape:
        raise ValueError(f"{references.shape} references and {estimates.shape} estimates differ")
    # about the mean of all tracks, so that the difference of squares below loses no digits
    centred = references - references.mean()
    errors = np.square(estimates - references)

    def statistic(counts: Floats) -> Floats:
        n = counts.sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            square = counts @ np.square(centred)
            spread = square - np.square(counts @ centred) / n
            # where all references are the same, rounding alone leaves something
            spread = np.where(spread > 1e-12 * square, spread, np.nan)
            return np.asarray(1 - (counts @ errors) / spread, dtype=np.float64)

    return statistic
