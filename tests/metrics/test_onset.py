from __future__ import annotations

import mir_eval.onset
import mir_eval.util
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirprobe.metrics.events import event_scores, matches
from mirprobe.metrics.onset import WINDOW, scores
from mirprobe.metrics.roc_auc import auc, unit

times = st.lists(st.integers(0, 200), max_size=30).map(lambda ns: sorted(n / 61 for n in ns))


@settings(deadline=None)
@given(times, times, st.sampled_from([WINDOW, 0.07, 4 / 61]))
def test_matching_equals_mir_eval(
    reference: list[float], estimate: list[float], window: float
) -> None:
    arrays = np.array(reference), np.array(estimate)
    pairs = mir_eval.util.match_events(*arrays, window)
    assert matches(reference, estimate, window) == len(pairs)
    if reference and estimate:
        expected = mir_eval.onset.f_measure(*arrays, window)
        assert event_scores(*arrays, window) == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize("events", [[1.0, 0.5], [40000.0]])
def test_events_that_cannot_be(events: list[float]) -> None:
    with pytest.raises(ValueError, match=r"increasing|maximum"):
        event_scores(np.array(events), np.array([1.0]), WINDOW)


def test_scores_of_known_onsets() -> None:
    reference = np.array([0.5, 1.0, 1.5, 2.0])
    assert scores(reference, reference + 0.04) == (1.0, 1.0, 1.0)
    assert scores(reference, reference + 0.06) == (0.0, 0.0, 0.0)
    f, precision, recall = scores(reference, np.array([0.5, 1.0, 1.2]))
    assert precision == pytest.approx(2 / 3)
    assert recall == 0.5
    assert f == pytest.approx(2 * 2 / 7)
    assert scores(reference, np.empty(0)) == scores(np.empty(0), reference) == (0.0, 0.0, 0.0)


def test_auc_closed_forms() -> None:
    assert auc(np.array([3.0, 4.0]), np.array([1.0, 2.0])) == 1.0
    assert auc(np.array([1.0, 2.0]), np.array([3.0, 4.0])) == 0.0
    assert auc(np.ones(3), np.ones(5)) == 0.5


def test_auc_against_counting() -> None:
    rng = np.random.default_rng(0)
    same, other = rng.integers(0, 5, (7, 2)), rng.integers(0, 5, (9, 2))
    naive = [
        np.mean([(a > b) + (a == b) / 2 for a in same[:, k] for b in other[:, k]]) for k in (0, 1)
    ]
    np.testing.assert_allclose(auc(same.astype(float), other.astype(float)), naive)


def test_unit_leaves_zeros_alone() -> None:
    assert unit(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist() == [[0.6, 0.8], [0.0, 0.0]]
