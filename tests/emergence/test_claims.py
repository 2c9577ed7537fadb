from __future__ import annotations

import numpy as np
import pytest

from mirprobe.core.schema import Floats
from mirprobe.emergence.checks import (
    FAILS,
    HOLDS,
    NOT_TESTED,
    PARTLY,
    WITHOUT,
    correct,
)
from mirprobe.emergence.claims import (
    ResultTables,
    attention_onsets,
    evaluate_claims,
    layers_differ,
    local_tasks,
    mean_of_both,
)
from mirprobe.emergence.crossing import crossing_gain, find_crossing
from mirprobe.emergence.onset_scores import result
from mirprobe.emergence.report import write_report
from mirprobe.emergence.rows import ScoredRow, best, interval_of, over_layers, scored_row

TRACKS = 20
GROUPS = [str(track) for track in range(TRACKS)]
RNG = np.random.default_rng(0)
NOISE = RNG.normal(0, 0.05, TRACKS)
"""Shared by all that is compared: some tracks are harder than others."""


def noise() -> Floats:
    """What differs between models on the same tracks."""
    return RNG.normal(0, 0.01, TRACKS)


def test_differences_are_paired() -> None:
    first, second = (scored_row({}, value + NOISE, GROUPS) for value in (0.5, 0.48))
    assert interval_of(first.estimate - second.estimate) == pytest.approx((0.02, 0.02, 0.02))
    assert first.row["high"] - first.row["low"] > 0.02


def test_tracks_without_a_value_are_left_out_of_a_mean() -> None:
    row = scored_row({"a": 1}, np.array([0.2, np.nan, 0.4]), list("xyz")).row
    assert (row["a"], row["value"], row["n"]) == (1, pytest.approx(0.3), 2)


def test_tracks_of_a_group_are_left_out_together() -> None:
    values = np.repeat(np.arange(5.0), 4)
    alone, grouped = (
        scored_row({}, values, groups).row for groups in (GROUPS, [str(int(v)) for v in values])
    )
    assert alone["value"] == grouped["value"]
    assert grouped["low"] < alone["low"]


def heard(model: str, value: float, seed: int = -1, **fields: object) -> ScoredRow:
    row = {"model": model, "seed": seed, "layer": "", "validation": value, **fields}
    return result(row, [(f, 0.5, 0.5) for f in value + NOISE + noise()], GROUPS)


@pytest.mark.parametrize(
    ("value", "flux", "verdict"),
    [(0.9, 0.8, HOLDS), (0.9, 0.95, PARTLY), (0.7, 0.95, WITHOUT), (0.1, 0.95, FAILS)],
)
def test_onsets_against_chance_random_weights_and_flux(
    value: float, flux: float, verdict: str
) -> None:
    tables = ResultTables(
        onsets=[
            heard("trained", value, layer="3", head="1", reading="turn"),
            heard("trained", value - 0.05, layer="4", head="1", reading="turn"),
            *(
                heard("random", top, seed, layer=layer, head="2", reading="turn")
                for seed, own in enumerate((0.69, 0.71, 0.7, 0.72, 0.68))
                for layer, top in (("1", own - 0.1), ("2", own))
            ),
            heard("flux", flux),
            heard("even", 0.4),
            heard("uniform", 0.3),
        ]
    )
    (claim,) = correct([attention_onsets(tables)])
    assert claim.verdict == verdict
    assert [(one.kind, one.text) for one in claim.checks] == [
        ("present", "trained layer 3 head 1 - even"),
        ("present", "trained layer 3 head 1 - uniform"),
        ("training", "trained layer 3 head 1 - random weights (mean of 5 seeds)"),
        ("untrained", "random weights (mean of 5 seeds) - even"),
        ("untrained", "random weights (mean of 5 seeds) - uniform"),
        ("reference", "trained layer 3 head 1 - flux"),
    ]
    # each seed at its own best layer
    assert claim.checks[2].gain.value == pytest.approx(value - 0.7, abs=0.01)
    (mean,) = [remark for remark in claim.remarks if remark.startswith("mean over layers")]
    assert mean.startswith(f"mean over layers: trained {value - 0.025:.2f}"[:-1])
    assert "random weights 0.6" in mean


def probed(
    model: str, value: float, seed: int = -1, source: str = "sequence", task: str = "key"
) -> list[ScoredRow]:
    """Two layers, of which validation prefers the second, with this value."""
    rows = []
    for layer, shift in (("1", -0.1), ("2", 0.0)):
        own = value + shift
        row = {"model": model, "seed": seed, "task": task, "layer": layer, "source": source}
        tracks = own + NOISE + noise()
        rows.append(scored_row({**row, "metric": "m", "validation": own}, tracks, GROUPS))
    return rows


SEED_VALUES = tuple(enumerate((0.5, 0.51, 0.49, 0.5, 0.505)))


@pytest.mark.parametrize(
    ("values", "verdict"),
    [((0.8, 0.8), HOLDS), ((0.8, 0.5), PARTLY), ((0.5, 0.5), WITHOUT), ((0.3, 0.3), FAILS)],
)
def test_local_tasks_against_log_mel_and_random_weights(
    values: tuple[float, float], verdict: str
) -> None:
    rows = []
    for task, value in zip(("chord", "beat"), values, strict=True):
        rows += probed("trained", value, task=task) + probed("logmel", 0.4, task=task)
        rows += [r for seed, own in SEED_VALUES for r in probed("random", own, seed, task=task)]
    (claim,) = correct([local_tasks(ResultTables(probes=rows))])
    assert claim.verdict == verdict
    assert [effect.subject for effect in claim.effects] == ["chord", "beat"]
    assert [one.kind for one in claim.effects[0].checks] == ["present", "training", "untrained"]
    assert len([remark for remark in claim.remarks if "mean over layers" in remark]) == 2


@pytest.mark.parametrize(
    ("gain", "untrained", "verdict"),
    [(0.2, 0.0, HOLDS), (0.2, 0.2, WITHOUT), (-0.2, 0.0, FAILS)],
)
def test_the_mean_that_validation_prefers_against_the_class_token(
    gain: float, untrained: float, verdict: str
) -> None:
    def model(name: str, level: float, gain: float, seed: int = -1) -> list[ScoredRow]:
        values = {"class": level, "both": level + gain - 0.05, "equal": level + gain}
        values |= {"sequence": level, "concat": level + 0.3}
        return [r for source, own in values.items() for r in probed(name, own, seed, source)]

    rows = model("trained", 0.6, gain)
    rows += [r for seed, own in SEED_VALUES for r in model("random", own, untrained, seed)]
    (claim,) = correct([mean_of_both(ResultTables(probes=rows))])
    assert claim.verdict == verdict
    assert claim.checks[0].text == "equal, trained layer 2 - class, trained layer 2"
    assert claim.checks[1].gain.value == pytest.approx(gain - untrained, abs=0.02)
    for source in ("both", "equal", "concat", "sequence"):
        assert any(f": {source} 0." in remark for remark in claim.remarks)


def seen(
    relation: str, layer: str, value: float, model: str = "trained", seed: int = -1
) -> ScoredRow:
    row = {
        "model": model,
        "seed": seed,
        "layer": layer,
        "source": "sequence",
        "relation": relation,
        "validation": value,
    }
    return scored_row(row, value + NOISE + noise(), GROUPS)


def untrained(relation: str, *values: float) -> list[ScoredRow]:
    """Three seeds of random weights."""
    return [
        seen(relation, str(layer), value, "random", seed)
        for seed in range(3)
        for layer, value in enumerate(values, start=1)
    ]


def test_different_layers_for_different_relations() -> None:
    own = [
        *(seen("chord", layer, value) for layer, value in (("1", 0.8), ("2", 0.7), ("3", 0.6))),
        *(seen("beat", layer, value) for layer, value in (("1", 0.6), ("2", 0.7), ("3", 0.65))),
        *(seen("key", layer, value) for layer, value in (("1", 0.5), ("2", 0.5), ("3", 0.9))),
    ]
    crossing = find_crossing(own)
    assert crossing is not None
    places = [(own.row["relation"], own.row["layer"], away.row["layer"]) for own, away in crossing]
    assert places == [("chord", "1", "3"), ("key", "3", "1")]
    gain = crossing_gain(crossing, TRACKS).value()
    assert gain == pytest.approx(np.mean([a.row["value"] - b.row["value"] for a, b in crossing]))
    assert crossing_gain(None, TRACKS).value() == 0

    flat = untrained("chord", 0.6, 0.6, 0.6) + untrained("key", 0.7, 0.7, 0.7)
    (claim,) = correct([layers_differ(ResultTables(similarities=own + flat))])
    assert claim.verdict == HOLDS
    assert [one.gain.value for one in claim.checks] == pytest.approx([0.2, 0.4, 0.3, 0.0], abs=0.02)
    assert claim.remarks[-1].endswith("with 0 of 3 seeds")

    same = untrained("chord", 0.8, 0.7, 0.6) + untrained("key", 0.5, 0.5, 0.9)
    (claim,) = correct([layers_differ(ResultTables(similarities=own + same))])
    assert claim.verdict == WITHOUT
    assert claim.remarks[-1].endswith("with 3 of 3 seeds")


def test_one_layer_for_all_is_no_difference() -> None:
    rows = [
        seen(relation, layer, value)
        for relation in ("chord", "beat")
        for layer, value in (("1", 0.6), ("2", 0.8))
    ]
    assert find_crossing(rows) is None
    claim = layers_differ(ResultTables(similarities=rows + untrained("chord", 0.6, 0.8)))
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


def page(tables: ResultTables, notes: dict[str, str]) -> str:
    provenance = {
        "checkpoint": {"name": "w.safetensors", "sha256": "0" * 64, "notes": notes},
        "dataset": "d",
        "tracks": {"valid": 7, "test": 9},
        "test_groups": 8,
        "seeds": 5,
        "probe_seeds": 2,
        "seed": 0,
        "splits_hash": "0",
        "problems": {},
    }
    return write_report(evaluate_claims(tables), tables, provenance, [])


@pytest.mark.parametrize(
    ("notes", "said"),
    [
        ({"fit": '{"objective": "ntxent", "steps": 9}'}, "with NT-Xent on the class token only."),
        ({"fit": '{"objective": "cojepa"}'}, "JEPA loss on the sequence tokens. The claims are"),
        ({}, "with an objective that the file does not name."),
    ],
)
def test_the_page_says_what_the_weights_were_trained_with(notes: dict[str, str], said: str) -> None:
    assert said in page(ResultTables(), notes)


def test_the_page_says_what_was_compared_and_with_which_p() -> None:
    rows = [
        heard("trained", 0.9, layer="3", head="1", reading="turn"),
        *(heard("random", 0.7 + s / 100, s, layer="1", head="2", reading="turn") for s in range(5)),
        heard("flux", 0.95),
        heard("even", 0.4),
        heard("uniform", 0.3),
    ]
    said = page(ResultTables(onsets=rows), {})
    assert "9 test tracks in 8 groups (**fewer than 30: intervals and p are rough**)." in said
    assert "## Claim 4: holds partly" in said
    assert "| onsets: holds partly |" in said
    (training,) = [line for line in said.splitlines() if line.startswith("| trained above random")]
    assert "| 1 of 6 (p 0.167) | < 0.001 | passes |" in training
    assert "| random (5 seeds) |  |  | 0.7" in said  # their mean, not the best of them


def test_best_prefers_what_validation_can_tell() -> None:
    rows = [seen("chord", "1", float("nan")), seen("chord", "2", 0.2)]
    assert best(rows, relation="chord") is rows[1]
    assert best(rows, relation="key") is None


def test_mean_over_layers_takes_the_best_head_of_each() -> None:
    rows = [
        heard("trained", value, layer=layer, head=head)
        for layer, head, value in (("1", "1", 0.4), ("1", "2", 0.6), ("2", "1", 0.8))
    ]
    assert over_layers(rows) == pytest.approx((rows[1].row["value"] + rows[2].row["value"]) / 2)
