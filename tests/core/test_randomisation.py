from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.stats import permutation_test
from sklearn.metrics import roc_auc_score

from mirprobe.core.bootstrap import Statistic, weighted_mean
from mirprobe.core.randomisation import EXACT, swap_p_value
from mirprobe.core.schema import Floats
from mirprobe.metrics import tagging


def of(first: Floats, second: Floats) -> Statistic:
    return weighted_mean([*first, *second])


def mean_difference(first: Floats, second: Floats, axis: int) -> Floats:
    return np.asarray(first.mean(axis=axis) - second.mean(axis=axis))


@pytest.mark.parametrize("seed", range(5))
def test_of_a_mean_it_is_that_of_the_permutation_test_of_scipy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first = rng.random(10)
    second = np.round(first + rng.normal(0.1, 0.2, 10), 1)
    exact = permutation_test(
        (first, second), mean_difference, permutation_type="samples", n_resamples=np.inf
    )
    assert swap_p_value([of(first, second)], range(10)) == pytest.approx(exact.pvalue)


def test_random_swaps_come_close_to_all_swaps() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.random(EXACT + 3), rng.random(EXACT + 3) + 0.15
    exact = permutation_test(
        (first, second), mean_difference, permutation_type="samples", n_resamples=np.inf
    )
    found = swap_p_value([of(first, second)], range(len(first)))
    assert found == pytest.approx(exact.pvalue, abs=0.01)


def test_a_metric_of_the_corpus_is_computed_anew_for_each_swap_of_groups() -> None:
    rng = np.random.default_rng(1)
    truth, groups = rng.random(12) < 0.5, np.repeat(range(6), 2)
    first, second = truth + rng.normal(0, 0.7, 12), truth + rng.normal(0, 1.5, 12)
    differences = []
    for swaps in product((False, True), repeat=6):
        swapped = np.array(swaps)[groups]
        one, other = np.where(swapped, second, first), np.where(swapped, first, second)
        differences.append(abs(roc_auc_score(truth, one) - roc_auc_score(truth, other)))
    expected = np.mean([one >= differences[0] - 1e-12 for one in differences])
    mixture = tagging.corpus_scores(
        np.concatenate([truth, truth])[:, None], np.concatenate([first, second])[:, None]
    )["roc_auc"]
    assert 2 / 2**6 <= swap_p_value([mixture], groups) == pytest.approx(expected)


def test_the_bound_of_few_groups_and_of_many() -> None:
    better, worse = np.ones(4), np.zeros(4)
    assert swap_p_value([of(better, worse)], range(4)) == 2 / 2**4
    assert swap_p_value([of(better, worse)], ["a"] * 4) == 1
    many = of(np.ones(40), np.zeros(40))
    assert swap_p_value([many], range(40), draws=99) == 0.01


def test_equal_encoders_and_undefined_scores() -> None:
    values = np.random.default_rng(2).random(20)
    assert swap_p_value([of(values, values)], range(20)) == 1
    undefined = Statistic(lambda counts: np.full(len(counts), np.nan), 40)
    assert np.isnan(swap_p_value([undefined], range(20)))


def test_pairs_of_fitted_probes_are_averaged() -> None:
    rng = np.random.default_rng(3)
    draws, other = rng.random((3, 8)), rng.random(8)
    pairs = [of(one, other) for one in draws]
    assert swap_p_value(pairs, range(8)) == swap_p_value([of(draws.mean(0), other)], range(8))


def test_of_equal_encoders_the_level_holds() -> None:
    rng = np.random.default_rng(4)
    found = [
        swap_p_value([of(*rng.exponential(size=(2, 20)))], range(20), draws=199) < 0.05
        for _ in range(400)
    ]
    assert np.mean(found) < 0.08
