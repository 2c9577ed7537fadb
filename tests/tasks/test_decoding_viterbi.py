from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirprobe.core.schema import Floats
from mirprobe_tasks.decoding.viterbi import uniform_viterbi


def log_likelihood(path: tuple[int, ...], log_probabilities: Floats, stay: float) -> float:
    classes = log_probabilities.shape[1]
    emitted = sum(log_probabilities[t, c] for t, c in enumerate(path))
    steps = [np.log(stay if a == b else (1 - stay) / (classes - 1)) for a, b in pairwise(path)]
    return float(emitted + sum(steps))


@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 6),
    st.integers(2, 4),
    st.sampled_from([0.5, 0.7, 0.9, 0.99]),
)
@settings(max_examples=60, deadline=None)
def test_best_of_all_paths(seed: int, frames: int, classes: int, stay: float) -> None:
    probabilities = np.random.default_rng(seed).dirichlet([0.5] * classes, size=frames)
    logs = np.log(probabilities + 1e-9)
    found = log_likelihood(tuple(uniform_viterbi(logs, stay)), logs, stay)
    best = max(log_likelihood(p, logs, stay) for p in product(range(classes), repeat=frames))
    assert found == pytest.approx(best)


def test_uniform_transitions_smooth_nothing() -> None:
    logs = np.random.default_rng(0).normal(size=(50, 25))
    assert (uniform_viterbi(logs, 1 / 25) == logs.argmax(axis=1)).all()


def test_an_outlier_is_smoothed_and_a_change_is_kept() -> None:
    classes = np.repeat([3, 7], 20)
    noisy = classes.copy()
    noisy[8] = 11
    logs = np.log(np.where(np.arange(25) == noisy[:, None], 0.5, 0.5 / 24))
    assert (uniform_viterbi(logs, 0.9) == classes).all()
    assert (uniform_viterbi(logs, 1 / 25) == noisy).all()


@pytest.mark.parametrize("stay", [0.0, 0.3, 1.0, float("nan")])
def test_impossible_self_transitions(stay: float) -> None:
    with pytest.raises(ValueError, match="self_transition"):
        uniform_viterbi(np.zeros((3, 2)), stay)
