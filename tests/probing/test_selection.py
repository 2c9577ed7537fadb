"""The rule of validation, and where a cell applies it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers.score_rows import NAN, ROW

from mirprobe.core.schema import Annotations
from mirprobe.probing.results import Cell, Prediction
from mirprobe.probing.selection import (
    DRAWS,
    best_on_validation,
    draw_groups,
    nan_is_worst,
    shares_of_choice,
)


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


def test_the_bootstrap_of_the_choice_counts_groups_whole() -> None:
    groups = ["a", "b", "a", "c"]
    draws = draw_groups(groups)
    assert draws.shape == (DRAWS, 4)
    assert (draws[:, 0] == draws[:, 2]).all()
    assert (draws[:, [0, 1, 3]].sum(axis=1) == 3).all()
    assert draws.mean() == pytest.approx(1, abs=0.1)


def test_the_bootstrap_of_the_choice_is_the_choice_made_again_in_each_draw() -> None:
    rng = np.random.default_rng(0)
    seeds = {name: list(rng.random((3, 50)).round(1)) for name in "abcd"}
    seeds["b"][1][7] = NAN
    counts = dict.fromkeys(seeds, 0.0)
    for draw in range(50):
        own = {name: [seed[draw] for seed in values] for name, values in seeds.items()}
        counts[best_on_validation(own)] += 1 / 50
    assert shares_of_choice(seeds) == pytest.approx(counts)


def test_of_two_layers_the_better_wins_as_often_as_the_binomial_says() -> None:
    """Layer `a` is right on two of three tracks, layer `b` on the third."""
    right = {"a": np.array([1.0, 1, 0]), "b": np.array([0.0, 0, 1])}
    draws = draw_groups(["x", "y", "z"])
    shares = shares_of_choice({name: [draws @ own / 3] for name, own in right.items()})
    # `a` loses where the third track is drawn two or three times of three
    assert shares["b"] == pytest.approx(7 / 27, abs=0.1)


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
