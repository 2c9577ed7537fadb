from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mirprobe.core.bootstrap import UNIT, UNLIMITED, mean, weighted_mean


def test_weighted_mean_in_closed_form() -> None:
    assert weighted_mean([1.0, 2.0, 6.0]).value() == 3
    statistic = weighted_mean([1.0, 2.0, 6.0], [1.0, 3.0, 2.0])
    assert statistic.value() == pytest.approx((1 + 6 + 12) / 6)
    counts = np.array([[2.0, 0.0, 1.0], [0.0, 3.0, 0.0]])
    np.testing.assert_allclose(statistic.resample(counts), [(2 * 1 + 2 * 6) / 4, 2])


def test_a_track_of_no_weight_is_left_out_even_if_nan() -> None:
    statistic = weighted_mean([1.0, float("nan"), 3.0], [1.0, 0.0, 1.0])
    assert statistic.value() == 2


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        (np.ones(3), r"shape \(3,\), not \(replicates, 3\)"),
        (np.ones((1, 2)), r"shape \(1, 2\)"),
        ([[1, 0, -1]], "at least 0"),
        ([[1, 0, 0.5]], "whole numbers"),
        ([[1, 0, np.nan]], "whole numbers"),
        (np.ones((2, 3), bool), "type bool"),
    ],
)
def test_what_is_no_table_of_counts_is_refused(counts: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        weighted_mean([1.0, 2.0, 6.0]).resample(counts)


def test_indices_are_refused_and_their_counts_give_the_mean_of_the_sample() -> None:
    values = np.random.default_rng(0).random(20)
    indices = np.random.default_rng(1).integers(0, 20, (50, 20))
    statistic = weighted_mean(values.tolist())
    with pytest.raises(ValueError, match=r"count indices of tracks with numpy\.bincount"):
        statistic.resample(indices)
    counts = np.stack([np.bincount(one, minlength=20) for one in indices])
    np.testing.assert_allclose(statistic.resample(counts), values[indices].mean(axis=1))


def test_nothing_counted_is_nan() -> None:
    statistic = weighted_mean([1.0, 5.0], [1.0, 0.0])
    np.testing.assert_array_equal(
        statistic.resample(np.array([[0.0, 2.0], [1.0, 1.0]])), [np.nan, 1.0]
    )


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
