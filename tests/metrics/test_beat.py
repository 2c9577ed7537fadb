from __future__ import annotations

import json
import warnings
from typing import Any

import mir_eval.beat
import numpy as np
import pytest
from helpers.paths import GOLDEN as GOLDEN_FOLDER
from hypothesis import given, settings
from hypothesis import strategies as st

from mirprobe.core.schema import Floats
from mirprobe.metrics import beat as metrics

GOLDEN = json.loads((GOLDEN_FOLDER / "beat.json").read_text())
REFERENCE = np.array(GOLDEN["reference"])


def one(reference: Floats, estimate: Floats, trim: float = 0.0) -> dict[str, float]:
    corpus = metrics.corpus_scores([reference], [estimate], trim=trim)
    return {name: statistic.value() for name, statistic in corpus.items()}


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: case["why"][:30])
def test_golden(case: dict[str, Any]) -> None:
    values = one(REFERENCE, np.array(case["estimate"], dtype=np.float64), case["trim"])
    assert values == pytest.approx(case["scores"])
    assert set(values) == set(metrics.METRICS)


beats = st.lists(st.integers(0, 3000), max_size=40, unique=True).map(
    lambda hundredths: np.array(sorted(hundredths), dtype=np.float64) / 100 + 0.003
)


@given(beats, beats, st.sampled_from([0.0, 5.0]))
@settings(max_examples=80, deadline=None)
def test_equals_mir_eval(reference: Floats, estimate: Floats, trim: float) -> None:
    values = one(reference, estimate, trim)
    if not (reference >= trim).any():
        assert np.isnan(list(values.values())).all()
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # mir_eval warns of short inputs
        expected = mir_eval.beat.evaluate(reference, estimate, min_beat_time=trim)
    names = {
        "f_measure": "F-measure",
        "p_score": "P-score",
        "cmlc": "Correct Metric Level Continuous",
        "cmlt": "Correct Metric Level Total",
        "amlc": "Any Metric Level Continuous",
        "amlt": "Any Metric Level Total",
    }
    assert values == pytest.approx({name: expected[theirs] for name, theirs in names.items()})


def test_mean_over_the_pieces_that_have_beats() -> None:
    nothing = np.empty(0)
    late = REFERENCE + 0.08
    corpus = metrics.corpus_scores(
        [REFERENCE, REFERENCE, nothing, np.array([0.5, 1.0])],
        [REFERENCE, late, REFERENCE, np.array([0.5, 1.0])],
        trim=1.5,
    )
    assert corpus["f_measure"].value() == 0.5  # neither the empty nor the trimmed piece counts
    assert corpus["cmlt"].value() == 1.0
    counts = np.array([[2.0, 1.0, 1.0, 0.0], [0.0, 0.0, 2.0, 2.0]])
    values = corpus["f_measure"].resample(counts)
    assert values[0] == pytest.approx(2 / 3)
    assert np.isnan(values[1])


def test_beats_within_one_impulse_have_no_interval() -> None:
    assert metrics.p_score(np.array([1.001, 1.002]), REFERENCE) == 0.0


def test_continuity_is_computed_once_and_only_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def counted(reference: Floats, estimate: Floats) -> tuple[float, ...]:
        calls.append(1)
        return (0.1, 0.2, 0.3, 0.4)

    monkeypatch.setattr(metrics, "continuity", counted)
    only = metrics.corpus_scores([REFERENCE], [REFERENCE], 0.0, ["f_measure"])
    assert {name: statistic.value() for name, statistic in only.items()} == {"f_measure": 1.0}
    assert not calls
    corpus = metrics.corpus_scores([REFERENCE], [REFERENCE], trim=0.0)
    assert [corpus[name].value() for name in metrics.CONTINUITY] == [0.1, 0.2, 0.3, 0.4]
    assert len(calls) == 1


def test_unsorted_beats() -> None:
    with pytest.raises(ValueError, match="increasing"):
        one(REFERENCE[::-1], REFERENCE)
