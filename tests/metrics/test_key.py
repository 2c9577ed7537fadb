from __future__ import annotations

import json
from itertools import product
from typing import Any

import mir_eval.key
import numpy as np
import pytest
from helpers.paths import GOLDEN as GOLDEN_FOLDER

from mirprobe.core.confidence_intervals import jackknife
from mirprobe.metrics import key as metrics

GOLDEN = json.loads((GOLDEN_FOLDER / "key.json").read_text())
BREAKDOWN = ("accuracy", "fifth", "relative", "parallel", "other")


@pytest.mark.parametrize("pair", GOLDEN["pairs"], ids=lambda pair: pair["why"])
def test_golden(pair: dict[str, Any]) -> None:
    scores = metrics.key_scores(pair["reference"], pair["estimate"])
    assert scores["mirex"] == pair["mirex"]
    assert scores["mirex_ascending"] == pair["mirex_ascending"]
    assert {name for name in BREAKDOWN if scores[name]} == {pair["relation"]}


def relation(reference: int, estimate: int) -> str:
    """Semitone arithmetic on class indices, written without mir_eval."""
    (ref_minor, ref), (est_minor, est) = divmod(reference, 12), divmod(estimate, 12)
    up = (est - ref) % 12
    if ref_minor == est_minor:
        return {0: "accuracy", 7: "fifth", 5: "fifth"}.get(up, "other")
    if up == 0:
        return "parallel"
    return "relative" if up == (3 if ref_minor else 9) else "other"


def test_all_576_pairs_against_semitone_arithmetic() -> None:
    value = {"accuracy": 1.0, "fifth": 0.5, "relative": 0.3, "parallel": 0.2, "other": 0.0}
    for reference, estimate in product(range(24), repeat=2):
        scores = metrics.key_scores(metrics.KEYS[reference], metrics.KEYS[estimate])
        expected = relation(reference, estimate)
        assert scores["mirex"] == value[expected]
        assert [scores[name] for name in BREAKDOWN] == [name == expected for name in BREAKDOWN]


def test_classes_cover_every_spelling_of_mir_eval() -> None:
    for name, semitone in mir_eval.key.KEY_TO_SEMITONE.items():
        for offset, mode in ((0, "major"), (12, "minor")):
            if semitone is not None:
                assert metrics.key_class(f"{name} {mode}") == semitone + offset
                assert metrics.key_class(f"{name.capitalize()} {mode}") == semitone + offset
    assert [metrics.key_class(key) for key in metrics.KEYS] == list(range(24))


@pytest.mark.parametrize("key", ["X", "x", "D other"])
def test_outside_the_classes(key: str) -> None:
    assert metrics.key_class(key) == -1


@pytest.mark.parametrize("key", ["", "C", "C Major", "H minor", "Cmajor", "X major"])
def test_unreadable(key: str) -> None:
    with pytest.raises(ValueError, match=r"invalid|form"):
        metrics.key_class(key)


def test_corpus_means_leave_unknown_keys_out() -> None:
    references = ["C major", "C major", "X", "A minor"]
    estimates = ["C major", "F major", "C major", "C minor"]
    corpus = metrics.corpus_scores(references, estimates)
    values = {name: statistic.value() for name, statistic in corpus.items()}
    third = pytest.approx(1 / 3)
    assert values["mirex"] == pytest.approx((1 + 0.5 + 0) / 3)
    assert values["mirex_ascending"] == third
    assert values["accuracy"] == values["fifth"] == values["other"] == third
    assert sum(values[name] for name in BREAKDOWN) == pytest.approx(1)
    assert set(corpus) == set(metrics.METRICS)
    interval = jackknife(corpus["mirex"], range(4)).interval
    assert 0 <= interval.low <= values["mirex"] <= interval.high <= 1


def test_uniform_guessing_scores_as_computed_by_hand() -> None:
    """Of 24 keys one is right, two are fifths, one is relative, one parallel."""
    pairs = list(product(metrics.KEYS, repeat=2))
    corpus = metrics.corpus_scores([r for r, _ in pairs], [e for _, e in pairs])
    assert corpus["mirex"].value() == pytest.approx((1 + 2 * 0.5 + 0.3 + 0.2) / 24)
    assert corpus["mirex_ascending"].value() == pytest.approx(2 / 24)


def test_statistics_follow_the_counts() -> None:
    corpus = metrics.corpus_scores(["C major", "C major"], ["C major", "D major"])
    assert corpus["mirex"].resample(np.array([[1.0, 1.0], [2.0, 0.0], [0.0, 3.0]])).tolist() == [
        0.5,
        1,
        0,
    ]


def test_lists_of_different_length() -> None:
    with pytest.raises(ValueError, match="zip"):
        metrics.corpus_scores(["C major"], [])
