from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from helpers.paths import GOLDEN as GOLDEN_FOLDER
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from mirprobe.core.confidence_intervals import jackknife
from mirprobe.metrics import tagging as metrics

GOLDEN = json.loads((GOLDEN_FOLDER / "tagging.json").read_text())


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: case["why"][:30])
def test_golden(case: dict[str, Any]) -> None:
    relevance = np.array(case["relevance"], dtype=bool)[:, None]
    corpus = metrics.corpus_scores(relevance, np.array(case["scores"])[:, None])
    assert set(corpus) == set(metrics.METRICS)
    for name, statistic in corpus.items():
        assert statistic.value() == pytest.approx(case[name]), name


@given(st.integers(0, 2**32 - 1), st.integers(2, 30), st.integers(1, 6), st.sampled_from([2, 5, 0]))
@settings(max_examples=60, deadline=None)
def test_equals_scikit_learn_with_ties_and_counts(
    seed: int, tracks: int, tags: int, levels: int
) -> None:
    rng = np.random.default_rng(seed)
    relevance = rng.random((tracks, tags)) < rng.random(tags)
    scores = rng.normal(size=(tracks, tags))
    if levels:  # few distinct values, so that many tie
        scores = rng.integers(levels, size=(tracks, tags)).astype(np.float64)
    counts = np.concatenate(
        [np.ones((1, tracks)), rng.multinomial(tracks, [1 / tracks] * tracks, 3)]
    )
    corpus = metrics.corpus_scores(relevance, scores)
    oracles = {"map": average_precision_score, "roc_auc": roc_auc_score}
    for name, oracle in oracles.items():
        values = corpus[name].resample(counts)
        for value, count in zip(values, counts, strict=True):
            drawn = relevance[count > 0]
            defined = [t for t in range(tags) if 0 < drawn[:, t].sum() < len(drawn)]
            expected = [oracle(relevance[:, t], scores[:, t], sample_weight=count) for t in defined]
            if defined:
                assert value == pytest.approx(np.mean(expected))
            else:
                assert np.isnan(value)


def test_equals_scikit_learn_macro() -> None:
    rng = np.random.default_rng(1)
    relevance = rng.random((50, 8)) < 0.3
    scores = rng.normal(size=(50, 8)) + relevance
    corpus = metrics.corpus_scores(relevance, scores)
    auc = roc_auc_score(relevance, scores, average="macro", max_fpr=None)
    assert corpus["roc_auc"].value() == pytest.approx(auc)
    ap = average_precision_score(relevance, scores, average="macro")
    assert corpus["map"].value() == pytest.approx(ap)
    interval = jackknife(corpus["roc_auc"], range(50)).interval
    assert interval.low < auc < interval.high


def test_tags_of_all_or_no_track_are_listed_and_left_out() -> None:
    relevance = np.array([[1, 1, 0], [0, 1, 0], [1, 1, 0]], dtype=bool)
    assert metrics.undefined_tags(relevance, ("some", "all", "none")) == ("all", "none")
    scores = np.array([[2.0, 0.0, 0.0], [1.0, 1.0, 1.0], [3.0, 2.0, 2.0]])
    corpus = metrics.corpus_scores(relevance, scores)
    assert corpus["roc_auc"].value() == corpus["map"].value() == 1.0


def test_no_tag_defined_is_nan_and_silent() -> None:
    corpus = metrics.corpus_scores(np.ones((3, 2), dtype=bool), np.zeros((3, 2)))
    assert np.isnan(corpus["map"].value())


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_only_ranks_count(seed: int) -> None:
    rng = np.random.default_rng(seed)
    relevance, scores = rng.random((20, 3)) < 0.5, rng.normal(size=(20, 3))
    before, after = (metrics.corpus_scores(relevance, s) for s in (scores, np.exp(scores) * 7 - 3))
    for name in metrics.METRICS:
        assert before[name].value() == pytest.approx(after[name].value(), nan_ok=True)


def test_bad_scores() -> None:
    with pytest.raises(ValueError, match="shape"):
        metrics.corpus_scores(np.ones((3, 2), dtype=bool), np.zeros((3, 1)))
    with pytest.raises(ValueError, match="finite"):
        metrics.corpus_scores(np.ones((1, 1), dtype=bool), np.array([[np.nan]]))
