from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.stats import binomtest, ttest_1samp

from mirprobe.core.bootstrap import Statistic, weighted_mean
from mirprobe.core.confidence_intervals import BLOCKS, Estimate, Interval, grid, jackknife, p_value
from mirprobe.core.schema import Floats


def of(values: list[float] | Floats, groups: object = None) -> Estimate:
    """The estimate of a mean; each track is a group by default."""
    own = np.arange(len(values)) if groups is None else np.asarray(groups)
    return jackknife(weighted_mean(list(values)), own)


def ends(interval: Interval) -> tuple[float, float]:
    return interval.low, interval.high


def test_pseudo_values_of_a_mean_are_the_values() -> None:
    values = np.random.default_rng(0).normal(size=30)
    np.testing.assert_allclose(of(values).parts.ravel(), values)


@pytest.mark.parametrize(("right", "n"), [(0, 5), (19, 20), (40, 72), (72, 72)])
def test_a_proportion_has_the_interval_of_wilson(right: int, n: int) -> None:
    expected = binomtest(right, n).proportion_ci(method="wilson")
    found = of([1.0] * right + [0.0] * (n - right)).interval
    assert ends(found) == pytest.approx((expected.low, expected.high))
    few = " (fewer than 30)" if n < 30 else ""
    assert found.text == f"wilson over test tracks of these fitted probes{few}"


def test_two_proportions_have_the_interval_of_newcombe() -> None:
    """Both right in 36 tracks, only the first in 12, only the second in 2 (Newcombe 1998)."""
    first = of([1.0] * 48 + [0.0] * 2)
    second = of([1.0] * 36 + [0.0] * 12 + [1.0] * 2)
    assert ends((first - second).interval) == pytest.approx((0.0569, 0.3404), abs=1e-4)
    assert ends((second - first).interval) == pytest.approx((-0.3404, -0.0569), abs=1e-4)


def test_symmetric_values_have_the_interval_of_student() -> None:
    values = np.concatenate([np.arange(1, 21), -np.arange(1, 21)]) + 3.0
    expected = ttest_1samp(values, 0).confidence_interval()
    assert ends(of(values).interval) == pytest.approx((expected.low, expected.high))


def test_a_skewed_mean_reaches_to_the_side_of_the_tail() -> None:
    found = of(np.random.default_rng(0).exponential(size=40)).interval
    assert found.high - 1 > 1 - found.low
    assert ends(of(-np.random.default_rng(0).exponential(size=40)).interval) == pytest.approx(
        (-found.high, -found.low)
    )


def test_copies_of_tracks_in_their_group_add_nothing() -> None:
    values = np.random.default_rng(1).random(12)
    alone, copied = of(values), of(np.repeat(values, 5), np.repeat(np.arange(12), 5))
    assert ends(copied.interval) == pytest.approx(ends(alone.interval))
    assert (copied.groups, copied.interval.df) == (12, 11)
    assert copied.interval.text == (
        "studentised over test groups of these fitted probes (fewer than 30)"
    )


def test_tracks_without_a_score_are_no_groups() -> None:
    rng = np.random.default_rng(2)
    values, weights = rng.random(20), np.repeat([1.0, 0.0], 10)
    found = jackknife(weighted_mean(values.tolist(), weights.tolist()), range(20))
    assert found.groups == 10
    assert found.value == pytest.approx(values[:10].mean())
    assert ends(found.interval) == pytest.approx(ends(of(values[:10]).interval))


def test_many_groups_are_joined_to_blocks() -> None:
    values = np.random.default_rng(3).random(4 * BLOCKS)
    found = of(values)
    assert (found.groups, found.parts.shape[-1]) == (4 * BLOCKS, BLOCKS)
    half = 1.96 * values.std() / np.sqrt(len(values))
    assert ends(found.interval) == pytest.approx(
        (values.mean() - half, values.mean() + half), abs=0.1 * half
    )


@pytest.mark.parametrize(
    "statistic",
    [
        weighted_mean([1.0]),
        weighted_mean([1.0, 2.0], [0.0, 0.0]),
        Statistic(lambda counts: np.where(counts.min(axis=1) > 0, 0.5, np.nan), 2),
    ],
)
def test_an_undefined_replicate_leaves_the_interval_undefined(statistic: Statistic) -> None:
    found = jackknife(statistic, range(statistic.n)).interval
    if statistic.n == 2:
        assert np.isnan(ends(found)).all()
        assert np.isnan(p_value(0.1, *ends(found), found.df))
    else:
        assert found.low < 1 == found.high  # Wilson of one track
    assert np.isnan(ends(of([1.0, 5.0], ["one", "one"]).interval)).all()


def test_equal_values_inside_the_limits_have_no_width_and_at_a_limit_that_of_wilson() -> None:
    assert ends(of([0.4] * 40).interval) == pytest.approx((0.4, 0.4))
    perfect = jackknife(weighted_mean([1.0] * 40, [2.0] * 40), range(40)).interval
    assert perfect.high == 1
    assert 0.9 < perfect.low < 0.92


def test_p_agrees_with_the_interval_and_with_the_t_test() -> None:
    values = np.concatenate([np.arange(1, 21), -np.arange(1, 21)]) + 4.0
    interval = of(values).interval
    assert p_value(4.0, *ends(interval), interval.df) == pytest.approx(
        ttest_1samp(values, 0).pvalue, rel=1e-6
    )
    assert p_value(1.0, 0.0, 2.0, 10) == pytest.approx(0.05)
    assert p_value(0.0, -1.0, 1.0, 10) == 1
    assert p_value(0.1, 0.1, 0.1, 10) == 2 / 2**11


@pytest.mark.parametrize("groups", [2, 5, 12])
def test_equal_differences_have_the_p_of_all_changes_of_sign(groups: int) -> None:
    """Against every change of signs: the mean is as extreme in two of 2^groups."""
    parts = np.full(groups, 0.25)
    signs = np.array(list(product((-1, 1), repeat=groups)))
    exact = (np.abs(signs @ parts / groups) >= 0.25).mean()
    gain = of([0.5] * groups) - of([0.25] * groups)
    interval = gain.interval
    assert p_value(gain.value, *ends(interval), interval.df) == pytest.approx(exact)


def test_no_p_is_zero() -> None:
    assert 0 < p_value(1.0, 1 - 1e-300, 1 + 1e-300, 500) < 1e-100
    assert 0 < p_value(1.0, 1.0, 1.0, 1e6) < 1e-300


def fits(values: Floats) -> Estimate:
    """Of values (resamples, draws, seeds, tracks)."""
    return grid({(r, d, s): of(values[r, d, s]) for r, d, s in np.ndindex(*values.shape[:3])})


def test_a_grid_holds_each_source_once() -> None:
    rng = np.random.default_rng(4)
    values = rng.normal(size=(4, 1, 1, 1)) + rng.normal(size=(1, 3, 1, 1)) + np.zeros((4, 3, 2, 9))
    found = fits(values + 0.1 * rng.normal(size=9))
    assert found.value == pytest.approx(found.parts.mean())
    assert found.interval.text == (
        "hierarchical over test tracks, resamples, draws, seeds (fewer than 30)"
    )
    one = of(values[0, 0, 0])
    assert grid({(0, 0, 0): one}) is one


def test_equal_fits_add_nothing_to_the_interval_of_the_tracks() -> None:
    tracks = np.random.default_rng(5).exponential(size=40)
    assert ends(fits(np.broadcast_to(tracks, (3, 2, 2, 40))).interval) == pytest.approx(
        ends(of(tracks).interval)
    )


def test_without_noise_the_interval_of_the_fits_is_that_of_student() -> None:
    level = np.random.default_rng(6).normal(size=6)
    found = fits(np.broadcast_to(level[:, None, None, None], (6, 1, 1, 50))).interval
    expected = ttest_1samp(level, 0).confidence_interval()
    assert ends(found) == pytest.approx((expected.low, expected.high))


def test_draws_of_two_encoders_are_independent() -> None:
    rng = np.random.default_rng(7)
    one, other = rng.normal(size=(2, 5)), rng.normal(size=(2, 3))
    first = fits(np.broadcast_to(one[:, :, None, None], (2, 5, 1, 40)))
    second = fits(np.broadcast_to(other[:, :, None, None], (2, 3, 1, 40)))
    gain = first - second
    assert gain.values.shape == (2, 5, 3, 1)
    assert gain.value == pytest.approx(one.mean() - other.mean())
    assert gain.interval.text == (
        "hierarchical over test tracks, resamples, draws, draws of the reference"
    )
    same = first - of(np.zeros(40))
    assert ends(same.interval) == pytest.approx(ends(first.interval))


def test_a_grid_with_a_gap_is_refused() -> None:
    one = of([0.0, 1.0])
    with pytest.raises(ValueError, match="3 fitted probes are not a grid of 2 resamples, 2 draws"):
        grid({(0, 0, 0): one, (0, 1, 0): one, (1, 0, 0): one})
