from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score

from mirprobe.core.confidence_intervals import jackknife
from mirprobe.metrics import classification as metrics

pairs = st.lists(
    st.tuples(st.sampled_from("abcde"), st.sampled_from("abcde"), st.integers(0, 3)),
    min_size=1,
    max_size=30,
)


@given(pairs)
def test_equals_scikit_learn_on_repeated_tracks(tracks: list[tuple[str, str, int]]) -> None:
    references, estimates, counts = (list(column) for column in zip(*tracks, strict=True))
    corpus = metrics.corpus_scores(references, estimates)
    ones = np.ones(len(counts))
    for own in (ones, np.array(counts, dtype=np.float64)):
        if not own.sum():
            assert all(np.isnan(value.resample(own[None])[0]) for value in corpus.values())
            continue
        drawn = own.astype(int)
        truth, guess = np.repeat(references, drawn), np.repeat(estimates, drawn)
        macro = f1_score(truth, guess, average="macro", labels=None, zero_division=0)
        assert corpus["macro_f1"].resample(own[None])[0] == pytest.approx(macro)
        assert corpus["accuracy"].resample(own[None])[0] == pytest.approx(
            accuracy_score(truth, guess)
        )


def test_scores_by_hand() -> None:
    references = ["flute", "flute", "flute", "oboe", "oboe", "tuba"]
    estimates = ["flute", "flute", "oboe", "oboe", "horn", "flute"]
    corpus = metrics.corpus_scores(references, estimates)
    assert corpus["accuracy"].value() == 3 / 6
    # flute: 2 of 3 found, 2 of 3 right; oboe: 1 of 2 and 1 of 2; horn and tuba never right
    assert corpus["macro_f1"].value() == pytest.approx((2 / 3 + 1 / 2 + 0 + 0) / 4)
    assert set(corpus) == set(metrics.METRICS)
    interval = jackknife(corpus["macro_f1"], range(6)).interval
    assert 0 <= interval.low <= interval.high <= 1


def test_rare_classes_weigh_as_much_as_frequent_ones() -> None:
    corpus = metrics.corpus_scores(["a"] * 98 + ["b"] * 2, ["a"] * 100)
    assert corpus["accuracy"].value() == 0.98
    assert corpus["macro_f1"].value() == pytest.approx(2 * 98 / 198 / 2)


def test_lists_of_different_length() -> None:
    with pytest.raises(ValueError, match="zip"):
        metrics.corpus_scores(["a"], [])
