from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest
from helpers import numpy_decoders
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax

from mirprobe.core.schema import Floats
from mirprobe_tasks.decoding.viterbi import REFERENCE_RATE, best_path, uniform_viterbi


def total(path: tuple[int, ...], scores: Floats, jump_cost: float) -> float:
    jumps = sum(a != b for a, b in pairwise(path))
    return float(sum(scores[t, c] for t, c in enumerate(path))) - jump_cost * jumps


@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 6),
    st.integers(1, 4),
    st.sampled_from([0.0, 0.5, 1.0, 3.0, 40.0]),
    st.sampled_from([5.0, 10.0, 31.25, 100.0]),
)
@settings(max_examples=60, deadline=None)
def test_best_of_all_paths(
    seed: int, frames: int, classes: int, jump_cost: float, rate: float
) -> None:
    logits = 3 * np.random.default_rng(seed).normal(size=(frames, classes))
    weighted = logits * REFERENCE_RATE / rate
    found = total(tuple(uniform_viterbi(logits, rate, jump_cost)), weighted, jump_cost)
    best = max(total(p, weighted, jump_cost) for p in product(range(classes), repeat=frames))
    assert found == pytest.approx(best)


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.3, 2.0, 8.0, 40.0]), st.booleans())
@settings(max_examples=30, deadline=None)
def test_equals_the_search_in_numpy(seed: int, jump_cost: float, ties: bool) -> None:
    scores = np.random.default_rng(seed).normal(size=(200, 25))
    scores = scores.round() if ties else scores
    assert (best_path(scores, jump_cost) == numpy_decoders.viterbi_path(scores, jump_cost)).all()


@pytest.mark.parametrize("stay", [0.3, 0.9, 0.999])
def test_at_the_reference_rate_it_is_a_hidden_markov_model(stay: float) -> None:
    """Against Viterbi with a full transition matrix, O(classes ** 2) for each frame."""
    logits = 4 * np.random.default_rng(1).normal(size=(300, 8))
    observed = log_softmax(logits, axis=1)
    moves = np.log(np.where(np.eye(8, dtype=bool), stay, (1 - stay) / 7))
    score, came_from = observed[0], []
    for frame in observed[1:]:
        arrivals = score[:, None] + moves
        came_from.append(arrivals.argmax(axis=0))
        score = arrivals.max(axis=0) + frame
    path = [int(score.argmax())]
    for before in came_from[::-1]:
        path.append(int(before[path[-1]]))
    cost = np.log(stay * 7 / (1 - stay))
    assert uniform_viterbi(logits, REFERENCE_RATE, cost).tolist() == path[::-1]


@given(st.integers(0, 2**32 - 1), st.sampled_from([1.0, 4.0, 15.0]))
@settings(max_examples=30, deadline=None)
def test_a_cost_means_the_same_at_every_frame_rate(seed: int, jump_cost: float) -> None:
    logits = 3 * np.random.default_rng(seed).normal(size=(60, 25))
    slow = uniform_viterbi(logits, 10.0, jump_cost)
    fast = uniform_viterbi(logits.repeat(10, axis=0), 100.0, jump_cost)
    assert fast.tolist() == slow.repeat(10).tolist()


def test_no_cost_smooths_nothing() -> None:
    logits = np.random.default_rng(0).normal(size=(50, 25))
    assert (uniform_viterbi(logits, 31.25, 0.0) == logits.argmax(axis=1)).all()


def test_a_constant_on_all_logits_of_a_frame_changes_nothing() -> None:
    rng = np.random.default_rng(0)
    logits = 3 * rng.normal(size=(200, 25))
    moved = logits + rng.normal(size=(200, 1))
    assert (uniform_viterbi(logits, 31.25, 2.0) == uniform_viterbi(moved, 31.25, 2.0)).all()


def test_an_outlier_is_smoothed_and_a_change_is_kept() -> None:
    classes = np.repeat([3, 7], 20)
    noisy = classes.copy()
    noisy[8] = 11
    logits = np.log(np.where(np.arange(25) == noisy[:, None], 0.5, 0.5 / 24))
    # a frame counts log(0.5 / (0.5 / 24)) = 3.2 nats, and an outlier costs two jumps
    assert (uniform_viterbi(logits, 10.0, 1.7) == classes).all()
    assert (uniform_viterbi(logits, 10.0, 1.5) == noisy).all()
    assert (uniform_viterbi(logits, 10.0, 19 * 3.1) == classes).all()
    assert len(set(uniform_viterbi(logits, 10.0, 19 * 3.3))) == 1


@pytest.mark.parametrize("cost", [-1.0, float("nan")])
def test_impossible_costs(cost: float) -> None:
    with pytest.raises(ValueError, match="jump_cost"):
        uniform_viterbi(np.zeros((3, 2)), 10.0, cost)
