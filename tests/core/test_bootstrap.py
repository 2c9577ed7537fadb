from __future__ import annotations

import numpy as np
import pytest

from mirprobe.core.bootstrap import UNIT, UNLIMITED, mean, point, weighted_mean


def test_weighted_mean_in_closed_form() -> None:
    assert point(weighted_mean([1.0, 2.0, 6.0]), 3) == 3
    statistic = weighted_mean([1.0, 2.0, 6.0], [1.0, 3.0, 2.0])
    assert point(statistic, 3) == pytest.approx((1 + 6 + 12) / 6)
    counts = np.array([[2.0, 0.0, 1.0], [0.0, 3.0, 0.0]])
    np.testing.assert_allclose(statistic(counts), [(2 * 1 + 2 * 6) / 4, 2])


def test_a_track_of_no_weight_is_left_out_even_if_nan() -> None:
    statistic = weighted_mean([1.0, float("nan"), 3.0], [1.0, 0.0, 1.0])
    assert point(statistic, 3) == 2


def test_nothing_counted_is_nan() -> None:
    statistic = weighted_mean([1.0, 5.0], [1.0, 0.0])
    np.testing.assert_array_equal(statistic(np.array([[0.0, 2.0], [1.0, 1.0]])), [np.nan, 1.0])


def test_a_mean_knows_its_values_and_its_limits() -> None:
    rates = weighted_mean([0.0, 1.0, float("nan")], [1.0, 1.0, 0.0])
    assert (rates.tracks, rates.limits) == (2, UNIT)
    assert rates.values is not None
    both = mean([rates, weighted_mean([1.0, 1.0, 0.5], [1.0, 1.0, 0.0])])
    assert both.values is not None
    np.testing.assert_array_equal(both.values[:2], [0.5, 1.0])
    assert (both.tracks, both.limits) == (2, UNIT)
    assert weighted_mean([0.0, 3.0]).limits == UNLIMITED
    assert weighted_mean([0.0, 1.0], [2.0, 3.0]).values is None  # not a plain mean
