from __future__ import annotations

import json
import warnings
from typing import Any

import mir_eval.chord
import numpy as np
import pytest
from helpers.paths import GOLDEN as GOLDEN_FOLDER
from hypothesis import given, settings
from hypothesis import strategies as st

from mirprobe.core.schema import Segments
from mirprobe.metrics import chord as metrics

GOLDEN = json.loads((GOLDEN_FOLDER / "chord.json").read_text())
ROOTS = ("C", "Db", "D#", "Fb", "F#", "B#", "Bb", "G")
QUALITIES = sorted(set(mir_eval.chord.QUALITIES) - {""})
WILD = ("C:maj/2", "C:maj/3", "A:min7/b3", "C:(3,5)", "C:maj(9)", "G:7(*3)", "D:sus4(b7)", "E", "N")
LABELS = (*WILD, "X", "A/5", *(f"{root}:{quality}" for root in ROOTS for quality in QUALITIES))


def segments(rows: list[list[Any]]) -> Segments:
    intervals = np.array([row[:2] for row in rows], dtype=np.float64).reshape(-1, 2)
    return Segments(intervals, tuple(row[2] for row in rows))


def one(reference: Segments, estimate: Segments) -> dict[str, float]:
    corpus = metrics.corpus_scores([reference], [estimate])
    return {name: statistic.value() for name, statistic in corpus.items()}


@pytest.mark.parametrize("piece", GOLDEN["pieces"], ids=lambda piece: piece["why"][:40])
def test_golden(piece: dict[str, Any]) -> None:
    values = one(segments(piece["reference"]), segments(piece["estimate"]))
    for name, expected in (*piece["scores"].items(), ("accuracy", [piece["accuracy"]])):
        if expected is None or expected[0] is None:
            assert np.isnan(values[name]), name
        else:
            assert values[name] == pytest.approx(expected[0]), name


def test_golden_pieces_pooled_by_seconds() -> None:
    pieces = GOLDEN["pieces"]
    corpus = metrics.corpus_scores(
        [segments(piece["reference"]) for piece in pieces],
        [segments(piece["estimate"]) for piece in pieces],
    )
    assert set(corpus) == set(metrics.METRICS)
    for name in pieces[0]["scores"]:
        known = [piece["scores"][name] for piece in pieces if piece["scores"][name]]
        seconds = sum(weight for _, weight in known)
        expected = sum(value * weight for value, weight in known) / seconds
        assert corpus[name].value() == pytest.approx(expected), name


@st.composite
def timelines(draw: st.DrawFn, start: float, stop: float) -> Segments:
    cuts = draw(st.lists(st.integers(1, 99), unique=True, max_size=12))
    times = start + (stop - start) * np.array([0, *sorted(cuts), 100]) / 100
    labels = draw(st.lists(st.sampled_from(LABELS), min_size=len(cuts) + 1, max_size=len(cuts) + 1))
    return Segments(np.stack([times[:-1], times[1:]], axis=1), tuple(labels))


@given(timelines(0.5, 20.0), timelines(0.5, 20.0) | timelines(0.0, 23.0) | timelines(2.0, 17.0))
@settings(max_examples=60, deadline=None)
def test_equals_mir_eval_on_whole_pieces(reference: Segments, estimate: Segments) -> None:
    values = one(reference, estimate)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a metric compares nothing
        expected = mir_eval.chord.evaluate(
            reference.intervals,
            list(reference.labels),
            estimate.intervals,
            list(estimate.labels),
        )
    for name in (*metrics.COMPARISONS, "seg"):
        if not np.isnan(values[name]):  # where nothing is compared mir_eval says 0
            assert values[name] == pytest.approx(expected[name], abs=1e-9), name
        else:
            assert expected[name] == 0


def test_a_label_is_in_the_class_that_majmin_says() -> None:
    for label in LABELS:
        index = metrics.chord_class(label)
        matches = [
            i for i, own in enumerate(metrics.LABELS) if mir_eval.chord.majmin([label], [own]) == 1
        ]
        assert matches == ([] if index < 0 else [index]), label
        assert (index < 0) == (mir_eval.chord.majmin([label], ["N"])[0] == -1), label


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("C", "C:maj"),
        ("C:7", "C:maj"),
        ("Db:maj7", "C#:maj"),
        ("Fb:maj6/3", "E:maj"),
        ("B#:9", "C:maj"),
        ("A:minmaj7", "A:min"),
        ("Gb:min7/b3", "F#:min"),
        ("N", "N"),
    ],
)
def test_classes(label: str, expected: str) -> None:
    assert metrics.LABELS[metrics.chord_class(label)] == expected


@pytest.mark.parametrize(
    "label", ["C:dim", "C:hdim7", "C:aug", "C:sus4", "C:sus2", "C:5", "C:1", "C:maj/2", "X"]
)
def test_outside_the_classes(label: str) -> None:
    assert metrics.chord_class(label) == -1


def test_accuracy_is_majmin_on_a_grid() -> None:
    reference = segments([[0, 1.234, "C:maj"], [1.234, 4, "A:min"]])
    estimate = segments([[0, 2, "C:maj"], [2, 4, "A:min"]])
    values = one(reference, estimate)
    frames = np.arange(400) * 0.01 + 0.005
    wrong = ((frames >= 1.234) & (frames < 2)).sum()
    assert values["accuracy"] == pytest.approx(1 - wrong / 400)
    assert values["majmin"] == pytest.approx(values["accuracy"], abs=metrics.GRID)


def test_rounding_gaps_and_overlaps_are_closed() -> None:
    exact = segments([[0, 1, "C:maj"], [1, 2, "C:maj"], [2, 3, "G:maj"]])
    rounded = segments([[0, 0.9995, "C:maj"], [1, 2.0004, "C:maj"], [2, 3, "G:maj"]])
    estimate = segments([[0, 2.5, "C:maj"], [2.5, 3, "G:maj"]])
    assert one(rounded, estimate) == pytest.approx(one(exact, estimate))
    assert one(estimate, rounded) == pytest.approx(one(estimate, exact))


def test_an_estimate_may_be_empty() -> None:
    values = one(segments([[0, 3, "C:maj"], [3, 4, "N"]]), segments([]))
    assert values["majmin"] == values["accuracy"] == 0.25


@pytest.mark.parametrize(
    "rows",
    [[], [[0, 2, "N"], [1, 3, "N"]], [[2, 3, "N"], [0, 1, "N"]], [[1, 1, "N"]]],
    ids=["empty", "overlap", "unsorted", "no duration"],
)
def test_impossible_references(rows: list[list[Any]]) -> None:
    with pytest.raises(ValueError, match="segment"):
        metrics.corpus_scores([segments(rows)], [segments([[0, 1, "N"]])])


def test_unreadable_label() -> None:
    with pytest.raises(mir_eval.chord.InvalidChordException, match="H:maj"):
        one(segments([[0, 1, "H:maj"]]), segments([[0, 1, "N"]]))
