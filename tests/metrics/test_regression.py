from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import r2_score

from mirprobe.core.confidence_intervals import jackknife
from mirprobe.metrics.regression import r2


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 1e5]), st.integers(2, 40))
def test_equals_scikit_learn_on_repeated_tracks(seed: int, offset: float, n: int) -> None:
    rng = np.random.default_rng(seed)
    references = rng.normal(size=n) + offset
    estimates = references + rng.normal(size=n)
    counts = rng.integers(0, 4, (5, n))
    counts[:, :2] += 1
    expected = [
        r2_score(np.repeat(references, own), np.repeat(estimates, own), force_finite=False)
        for own in counts
    ]
    assert r2(references, estimates).resample(counts.astype(float)) == pytest.approx(
        expected, rel=1e-5
    )


def test_closed_forms() -> None:
    truth = np.array([1.0, 2.0, 3.0, 6.0])
    assert r2(truth, truth).value() == 1
    assert r2(truth, np.full(4, 3.0)).value() == pytest.approx(0)
    # a wrong mean costs the square of its error over the variance, 3.5
    assert r2(truth, np.full(4, 4.0)).value() == pytest.approx(-1 / 3.5)
    assert r2(10 * truth - 7, 10 * (truth + 1) - 7).value() == pytest.approx(1 - 1 / 3.5)


def test_undefined_where_the_references_are_the_same() -> None:
    assert np.isnan(r2(np.full(3, 0.1), np.arange(3.0)).value())
    drawn = np.array([[0.0, 3.0, 0.0], [0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    found = r2(np.array([0.1, 0.7, 0.3]), np.arange(3.0)).resample(drawn)
    assert np.isnan(found).tolist() == [True, True, False]
    interval = jackknife(
        r2(np.array([0.1, 0.7, 0.3]), np.array([0.1, 0.6, 0.3])), range(3)
    ).interval
    assert interval.low <= interval.high <= 1


def test_shapes_that_differ() -> None:
    with pytest.raises(ValueError, match="differ"):
        r2(np.zeros(3), np.zeros(2))
