from __future__ import annotations

import numpy as np
import pytest

from mirprobe.core.bootstrap import REPLICATES, Statistic, bootstrap, point, weighted_mean
from mirprobe.core.schema import Floats


def test_weighted_mean_in_closed_form() -> None:
    assert point(weighted_mean([1.0, 2.0, 6.0]), 3) == 3
    statistic = weighted_mean([1.0, 2.0, 6.0], [1.0, 3.0, 2.0])
    assert point(statistic, 3) == pytest.approx((1 + 6 + 12) / 6)
    counts = np.array([[2.0, 0.0, 1.0], [0.0, 3.0, 0.0]])
    np.testing.assert_allclose(statistic(counts), [(2 * 1 + 2 * 6) / 4, 2])


def test_a_track_of_no_weight_is_left_out_even_if_nan() -> None:
    statistic = weighted_mean([1.0, float("nan"), 3.0], [1.0, 0.0, 1.0])
    assert point(statistic, 3) == 2
    assert np.isfinite(bootstrap(statistic, 3)).all()


def test_nothing_counted_is_nan_and_stays_out_of_the_interval() -> None:
    statistic = weighted_mean([1.0, 5.0], [1.0, 0.0])
    np.testing.assert_array_equal(statistic(np.array([[0.0, 2.0], [1.0, 1.0]])), [np.nan, 1.0])
    # a quarter of the replicates draw the second track alone: the others still say 1
    assert bootstrap(statistic, 2) == (1, 1)


def test_an_undefined_statistic_has_an_undefined_interval() -> None:
    assert np.isnan(bootstrap(weighted_mean([1.0, 2.0], [0.0, 0.0]), 2)).all()


def test_bootstrap_is_deterministic_in_its_seed() -> None:
    statistic = weighted_mean(np.random.default_rng(0).normal(size=50).tolist())
    assert bootstrap(statistic, 50) == bootstrap(statistic, 50)
    assert bootstrap(statistic, 50) != bootstrap(statistic, 50, seed=1)


def test_the_interval_of_a_mean_is_that_of_the_normal_law() -> None:
    values = np.random.default_rng(0).normal(size=400)
    low, high = bootstrap(weighted_mean(values.tolist()), 400)
    half = 1.96 * values.std() / 20
    assert low == pytest.approx(values.mean() - half, abs=0.015)
    assert high == pytest.approx(values.mean() + half, abs=0.015)


def test_the_interval_covers_the_true_mean_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    inside = 0
    for _ in range(200):
        low, high = bootstrap(weighted_mean((rng.random(40) ** 2).tolist()), 40)
        inside += low <= 1 / 3 <= high
    assert 0.90 <= inside / 200 <= 0.985


def drawn(statistic: Statistic, n: int) -> tuple[Floats, Floats]:
    """The counts that `bootstrap` gave the statistic, and its values on them."""
    seen = []

    def spy(counts: Floats) -> Floats:
        seen.append(counts)
        return statistic(counts)

    bootstrap(spy, n)
    counts = max(seen, key=len)
    return counts, statistic(counts)


def test_replicates_draw_n_tracks_with_replacement() -> None:
    counts, _ = drawn(weighted_mean([0.0] * 7), 7)
    assert counts.shape == (REPLICATES, 7)
    assert (counts.sum(axis=1) == 7).all()
    # a track is left out of (1 - 1/7)^7 of the replicates
    assert (counts == 0).mean() == pytest.approx((6 / 7) ** 7, abs=0.02)
    assert len(np.unique(counts, axis=0)) > 400


def test_bias_correction_leaves_a_mean_alone() -> None:
    values = (np.arange(12) < 5).astype(float).tolist()
    statistic = weighted_mean(values)
    low, high = bootstrap(statistic, 12)
    _, replicates = drawn(statistic, 12)
    np.testing.assert_allclose([low, high], np.percentile(replicates, [2.5, 97.5]), atol=1e-12)
    # so that the interval of a score in [0, 1] stays there
    assert bootstrap(weighted_mean([1.0] + [0.0] * 5), 6)[0] == pytest.approx(0, abs=1e-12)


def test_bias_correction_moves_a_biased_statistic_back() -> None:
    """The variance of a sample of n is too small by a factor (n - 1) / n."""
    values = np.random.default_rng(0).normal(size=15)

    def variance(counts: Floats) -> Floats:
        mean = counts @ values / 15
        return np.asarray(counts @ values**2 / 15 - mean**2)

    low, high = bootstrap(variance, 15)
    _, replicates = drawn(variance, 15)
    assert replicates.mean() - values.var() == pytest.approx(-values.var() / 15, rel=0.2)
    bias = replicates.mean() - values.var()
    np.testing.assert_allclose([low, high], np.percentile(replicates, [2.5, 97.5]) - bias)


def test_the_moved_interval_stays_in_the_range_of_the_statistic() -> None:
    """The best track of a sample: drawing with replacement can only miss it."""

    def best(counts: Floats) -> Floats:
        return np.asarray(np.where(counts > 0, np.linspace(0, 1, 20), 0).max(axis=1))

    _, replicates = drawn(best, 20)
    bias = replicates.mean() - 1
    assert bias < -0.01
    expected = np.percentile(replicates, 2.5) - bias, 1.0
    np.testing.assert_allclose(bootstrap(best, 20), expected)
