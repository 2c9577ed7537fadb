"""The rule of validation, and where a cell applies it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from helpers.score_rows import NAN, ROW

from mirprobe.core.schema import Annotations
from mirprobe.probing.results import Cell, Prediction
from mirprobe.probing.selection import best_on_validation, nan_is_worst


@pytest.mark.parametrize(
    ("candidates", "best"),
    [
        ({"a": [0.1], "b": [0.2]}, "b"),
        ({"a": [0.2], "b": [0.2]}, "a"),  # the first of equals
        ({"a": [NAN], "b": [-5.0]}, "b"),
        ({"a": [NAN], "b": [NAN]}, "a"),
        ({"a": [0.9, NAN], "b": [0.1, 0.1]}, "b"),  # one undefined seed is enough
        ({"a": [0.9, 0.1], "b": [0.6, 0.6]}, "b"),  # the mean over seeds
    ],
)
def test_the_highest_mean_wins(candidates: dict[str, list[float]], best: str) -> None:
    assert best_on_validation(candidates) == best


def test_an_undefined_value_is_below_every_other() -> None:
    assert nan_is_worst(NAN) < nan_is_worst(-1e300)
    assert nan_is_worst(0.5) == 0.5


def test_a_cell_knows_the_predictions_that_validation_chose() -> None:
    def prediction(decoding: str, kind: str = "probe", selected: bool = True) -> Prediction:
        tracks = {"one": Annotations(key="C major")}
        return Prediction(kind, "12", "sequence", decoding, "{}", 1e-3, 0, selected, tracks)

    good, better = prediction("argmax"), prediction("viterbi")
    others = [prediction("viterbi", selected=False), prediction("viterbi", kind="shuffled")]
    scores = [
        replace(ROW, decoding="argmax", validation=0.4),
        replace(ROW, decoding="viterbi", validation=0.5),
        replace(ROW, decoding="argmax", validation=0.9, selected=False),
        replace(ROW, decoding="argmax", validation=0.9, kind="shuffled"),
        replace(ROW, decoding="argmax", validation=0.9, main=False, metric="accuracy"),
    ]
    cell = Cell("k", "one", "key", scores, [*others, good, better])
    (found,) = cell.chosen()
    assert found is better  # of an earlier version, which selected in each decoding
    now = [replace(row, selected=row.decoding == "argmax") for row in scores[:2]]
    unselected = prediction("viterbi", selected=False)
    (found,) = Cell("k", "one", "key", now, [good, unselected]).chosen()
    assert found is good
