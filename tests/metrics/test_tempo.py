from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirprobe.metrics import tempo as metrics


def one(reference: float, estimate: float) -> tuple[float, float]:
    corpus = metrics.corpus_scores([reference], [estimate])
    assert set(corpus) == set(metrics.METRICS)
    return corpus["acc1"].value(), corpus["acc2"].value()


@pytest.mark.parametrize(
    ("reference", "estimate", "acc1", "acc2"),
    [
        (100, 100, 1, 1),
        (100, 104, 1, 1),  # the bounds count
        (100, 96, 1, 1),
        (100, 104.01, 0, 0),
        (100, 95.99, 0, 0),
        (100, 200, 0, 1),
        (100, 208, 0, 1),
        (100, 208.1, 0, 0),
        (100, 192, 0, 1),
        (50, 150, 0, 1),
        (50, 156, 0, 1),
        (140, 70, 0, 1),
        (150, 50, 0, 1),
        (150, 52, 0, 1),
        (150, 52.1, 0, 0),
        (100, 150, 0, 0),  # neither 3/2 nor 4 is an octave error
        (40, 160, 0, 0),
    ],
)
def test_pairs_by_hand(reference: float, estimate: float, acc1: float, acc2: float) -> None:
    assert one(reference, estimate) == (acc1, acc2)


def test_corpus_means_and_counts() -> None:
    corpus = metrics.corpus_scores([100, 100, 100, 100], [101, 50, 33, 77])
    assert (corpus["acc1"].value(), corpus["acc2"].value()) == (0.25, 0.75)
    assert corpus["acc1"].resample(np.array([[3.0, 1, 0, 0]])).tolist() == [0.75]
    with pytest.raises(ValueError, match="zip"):
        metrics.corpus_scores([100], [])


def test_72_classes_from_30_to_240() -> None:
    assert len(metrics.CLASSES) == 72
    assert [metrics.tempo_class(tempo) for tempo in metrics.CLASSES] == list(range(72))
    assert metrics.tempo_class(30.0) == 0
    assert metrics.tempo_class(239.999) == 71
    assert metrics.tempo_class(29.999) == metrics.tempo_class(240.0) == -1
    # doubling the tempo is a shift of 24 classes, wherever
    assert metrics.tempo_class(61.7 * 2) == metrics.tempo_class(61.7) + 24


@given(st.floats(30.0, 239.999))
def test_the_right_class_is_always_within_the_tolerance(tempo: float) -> None:
    centre = float(metrics.CLASSES[metrics.tempo_class(tempo)])
    assert abs(centre - tempo) <= 0.0146 * tempo
    assert one(tempo, centre) == (1, 1)
