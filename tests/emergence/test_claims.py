from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from mirprobe.core.intervals import jackknife
from mirprobe.emergence.claims import (
    FAILS,
    HOLDS,
    NOT_TESTED,
    PARTLY,
    Check,
    Claim,
    ResultTables,
    attention_onsets,
    best,
    evaluate_claims,
    find_crossing,
    layers_differ,
)
from mirprobe.emergence.intervals import Interval, ScoredRow, interval_of, mean_of, measure
from mirprobe.emergence.onset_scores import result
from mirprobe.emergence.report import write_report

TRACKS = 20
NOISE = np.random.default_rng(0).normal(0, 0.05, TRACKS)
"""Shared by all that is compared: some tracks are harder than others."""


def check(low: float, high: float) -> Check:
    return Check("a - b", Interval((low + high) / 2, low, high))


@pytest.mark.parametrize(
    ("checks", "verdict"),
    [
        ([check(0.1, 0.2), check(0.01, 0.5)], HOLDS),
        ([check(0.1, 0.2), check(-0.01, 0.5)], PARTLY),
        ([check(-0.3, 0.2), check(-0.2, -0.1)], FAILS),
        ([check(0.0, 0.2)], FAILS),
        ([], FAILS),
    ],
)
def test_verdicts_follow_from_checks(checks: Sequence[Check], verdict: str) -> None:
    assert Claim("", "", tuple(checks)).verdict == verdict
    assert Claim("", "", tuple(checks), testable=False).verdict == NOT_TESTED


def test_differences_are_paired() -> None:
    first, second = mean_of(0.5 + NOISE), mean_of(0.48 + NOISE)
    gain = interval_of(jackknife(first, range(TRACKS)) - jackknife(second, range(TRACKS)))
    assert (gain.value, gain.low, gain.high) == pytest.approx((0.02, 0.02, 0.02))
    alone = measure(first, TRACKS)
    assert alone.high - alone.low > 0.02


def test_tracks_without_a_value_are_left_out_of_a_mean() -> None:
    assert measure(mean_of([0.2, np.nan, 0.4]), 3).value == pytest.approx(0.3)


def heard(model: str, value: float, seed: int = -1, **fields: object) -> ScoredRow:
    row = {"model": model, "seed": seed, "validation": value, **fields}
    return result(row, [(value + noise, 0.5, 0.5) for noise in NOISE])


@pytest.mark.parametrize(("value", "verdict"), [(0.9, HOLDS), (0.5, PARTLY), (0.1, FAILS)])
def test_onsets_against_guesses_and_random_weights(value: float, verdict: str) -> None:
    tables = ResultTables(
        onsets=[
            heard("trained", value, layer="3", head="1", reading="turn"),
            heard("trained", value - 0.05, layer="4", head="1", reading="turn"),
            heard("random", 0.6, 0, layer="1", head="2", reading="turn"),
            heard("random", 0.7, 1, layer="2", head="2", reading="turn"),
            heard("flux", 0.95),
            heard("even", 0.4),
            heard("uniform", 0.3),
        ]
    )
    claim = attention_onsets(tables)
    assert claim.verdict == verdict
    assert [one.text for one in claim.checks] == [
        "trained layer 3 head 1 - even",
        "trained layer 3 head 1 - uniform",
        "trained layer 3 head 1 - random layer 2 head 2 (seed 1)",
    ]
    assert claim.checks[2].gain.value == pytest.approx(value - 0.7)
    assert "spectral flux" in claim.remarks[-1]


def seen(relation: str, layer: str, value: float, model: str = "trained") -> ScoredRow:
    row = {
        "model": model,
        "seed": -1 if model == "trained" else 0,
        "layer": layer,
        "source": "sequence",
        "relation": relation,
        **dict.fromkeys(("validation", "value", "low", "high"), value),
    }
    return ScoredRow(row, value + NOISE)


def test_different_layers_for_different_relations() -> None:
    rows = [
        *(seen("chord", layer, value) for layer, value in (("1", 0.8), ("2", 0.7), ("3", 0.6))),
        *(seen("beat", layer, value) for layer, value in (("1", 0.6), ("2", 0.7), ("3", 0.65))),
        *(seen("key", layer, value) for layer, value in (("1", 0.5), ("2", 0.5), ("3", 0.9))),
        *(seen("chord", layer, value, "random") for layer, value in (("1", 0.6), ("2", 0.6))),
    ]
    crossing = find_crossing([one for one in rows if one.row["model"] == "trained"])
    assert crossing is not None
    places = [(own.row["relation"], own.row["layer"], away.row["layer"]) for own, away in crossing]
    assert places == [("chord", "1", "3"), ("key", "3", "1")]
    claim = layers_differ(ResultTables(similarities=rows))
    assert claim.verdict == HOLDS
    assert [one.gain.value for one in claim.checks] == pytest.approx([0.2, 0.4])
    assert claim.remarks[-1].endswith("with 0 of 1 seeds")


def test_one_layer_for_all_is_no_difference() -> None:
    rows = [
        seen(relation, layer, value)
        for relation in ("chord", "beat")
        for layer, value in (("1", 0.6), ("2", 0.8))
    ]
    assert find_crossing(rows) is None
    claim = layers_differ(ResultTables(similarities=rows))
    assert (claim.verdict, claim.checks, claim.testable) == (FAILS, (), True)


def test_relations_that_validation_does_not_find_are_not_crossed() -> None:
    rows = [
        seen("chord", "1", 0.8),
        seen("chord", "2", 0.7),
        seen("beat", "1", 0.4),
        seen("beat", "2", 0.5),
    ]
    assert find_crossing(rows) is None


def test_one_relation_cannot_be_compared() -> None:
    rows = [seen("key", layer, value) for layer, value in (("1", 0.6), ("2", 0.8))]
    assert layers_differ(ResultTables(similarities=rows)).verdict == NOT_TESTED


def test_without_data_nothing_is_asked() -> None:
    assert [claim.verdict for claim in evaluate_claims(ResultTables())] == [NOT_TESTED] * 5


@pytest.mark.parametrize(
    ("notes", "said"),
    [
        ({"fit": '{"objective": "ntxent", "steps": 9}'}, "with NT-Xent on the class token only."),
        ({"fit": '{"objective": "cojepa"}'}, "JEPA loss on the sequence tokens. The claims are"),
        ({}, "with an objective that the file does not name."),
    ],
)
def test_the_page_says_what_the_weights_were_trained_with(notes: dict[str, str], said: str) -> None:
    provenance = {
        "checkpoint": {"name": "w.safetensors", "sha256": "0" * 64, "notes": notes},
        "dataset": "d",
        "tracks": {"valid": 1, "test": 1},
        "controls": 1,
        "seed": 0,
        "splits_hash": "0",
        "problems": {},
    }
    assert said in write_report(evaluate_claims(ResultTables()), ResultTables(), provenance, [])


def test_best_prefers_what_validation_can_tell() -> None:
    rows = [seen("chord", "1", float("nan")), seen("chord", "2", 0.2)]
    assert best(rows, relation="chord") is rows[1]
    assert best(rows, relation="key") is None
