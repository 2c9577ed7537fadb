from __future__ import annotations

import warnings

import mir_eval.segment
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirprobe.core.schema import Segments
from mirprobe.metrics import structure as metrics


def sections(*rows: tuple[float, float, str]) -> Segments:
    intervals = np.array([row[:2] for row in rows], dtype=np.float64).reshape(-1, 2)
    return Segments(intervals, tuple(row[2] for row in rows))


def one(reference: Segments, estimate: Segments) -> dict[str, float]:
    corpus = metrics.corpus_scores([reference], [estimate])
    assert set(corpus) == set(metrics.METRICS)
    return {name: value.value() for name, value in corpus.items()}


@st.composite
def songs(draw: st.DrawFn) -> Segments:
    """A partition of 60 seconds, its boundaries on thirds of a second."""
    inner = draw(st.lists(st.integers(1, 179), max_size=12, unique=True))
    times = np.array([0, *sorted(inner), 180]) / 3
    labels = draw(st.lists(st.sampled_from("ABab"), min_size=len(inner) + 1, max_size=99))
    return Segments(np.stack([times[:-1], times[1:]], axis=1), tuple(labels[: len(inner) + 1]))


@given(songs(), songs())
@settings(max_examples=80, deadline=None)
def test_equals_mir_eval(reference: Segments, estimate: Segments) -> None:
    values = one(reference, estimate)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # mir_eval warns of pieces without inner boundaries
        pair = reference.intervals, estimate.intervals
        for name, window in (("hr05", 0.5), ("hr3", 3.0)):
            expected = mir_eval.segment.detection(*pair, window=window, beta=1.0, trim=True)[2]
            if len(reference.labels) == 1:
                assert np.isnan(values[name])
            else:
                assert values[name] == pytest.approx(expected)
        expected = mir_eval.segment.pairwise(
            reference.intervals, list(reference.labels), estimate.intervals, list(estimate.labels)
        )[2]
    assert values["pairwise_f"] == pytest.approx(expected)


def test_boundaries_by_hand() -> None:
    reference = sections((0, 10, "intro"), (10, 30, "verse"), (30, 50, "chorus"), (50, 60, "outro"))
    near = sections((0, 10.4, "a"), (10.4, 32.0, "b"), (32.0, 60, "c"))
    # within 0.5 s one of 3 is found by one of 2; within 3 s two are
    assert one(reference, near)["hr05"] == pytest.approx(2 * (1 / 2) * (1 / 3) / (1 / 2 + 1 / 3))
    assert one(reference, near)["hr3"] == pytest.approx(2 * 1 * (2 / 3) / (1 + 2 / 3))
    # who knows where a piece starts and ends knows no boundary
    assert one(reference, sections((0, 60, "a")))["hr3"] == 0


def test_pairs_by_hand() -> None:
    reference = sections((0, 1, "verse"), (1, 2, "chorus"))
    whole, same = sections((0, 2, "x")), sections((0, 1, "p"), (1, 2, "q"))
    assert one(reference, same)["pairwise_f"] == 1
    # 20 frames, 10 of each: 2 * 45 pairs are alike, 190 are said to be
    assert one(reference, whole)["pairwise_f"] == pytest.approx(2 * 90 / (90 + 190))
    assert one(sections((0, 0.2, "a")), sections((0, 0.1, "a"), (0.1, 0.2, "b")))["pairwise_f"] == 0


def test_an_estimate_reaches_over_the_span_of_the_reference() -> None:
    reference = sections((0, 5, "a"), (5, 10, "b"))
    for estimate in (
        sections((0, 5, "a"), (5, 9.98, "b")),
        sections((0.02, 5, "a"), (5, 10.4, "b")),
        sections((0, 5.0004, "a"), (5.0, 10, "b")),
    ):
        assert one(reference, estimate) == {"hr05": 1, "hr3": 1, "pairwise_f": 1}
    later = sections((2, 5, "a"), (5, 10, "b"))
    assert one(later, reference) == {"hr05": 1, "hr3": 1, "pairwise_f": 1}


def test_what_no_section_covers_is_a_section() -> None:
    reference = sections((0, 4, "a"), (6, 10, "a"))
    assert one(reference, sections((0, 4, "a"), (4, 6, "b"), (6, 10, "a")))["hr05"] == 1
    assert one(reference, sections((0, 10, "a")))["hr05"] == 0
    assert one(reference, sections())["pairwise_f"] < 1


def test_means_leave_pieces_without_boundaries_out() -> None:
    reference, whole = sections((0, 5, "a"), (5, 10, "b")), sections((0, 10, "a"))
    corpus = metrics.corpus_scores([reference, whole], [reference, reference])
    assert corpus["hr05"].value() == 1
    assert 0.5 < corpus["pairwise_f"].value() < 1


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        (sections(), "at least one"),
        (sections((0, 0, "a")), "positive duration"),
        (sections((5, 10, "b"), (0, 5, "a")), "sorted"),
    ],
)
def test_references_that_cannot_be(reference: Segments, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        one(reference, sections((0, 10, "a")))
