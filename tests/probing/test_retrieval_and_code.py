"""Retrieval and the online code, beside closed forms."""

from __future__ import annotations

from math import log2
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.stub_task import StubTask
from probing.test_fixed_layers import ROW, make_tracks

from mirprobe.core.schema import Level
from mirprobe.probing.cell import run_cell
from mirprobe.probing.probe_run import ProbeRun
from mirprobe.probing.probes import KnnConfig, LbfgsConfig, ProbeConfig
from mirprobe.probing.retrieval_and_code import code_length, retrieval


def ring(*degrees: float) -> np.ndarray:
    angles = np.deg2rad(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], 1) * np.arange(1, len(angles) + 1)[:, None]


def values(vectors: np.ndarray, targets: Any, groups: str) -> dict[str, tuple[float, int]]:
    found = retrieval(vectors, np.array(targets), list(groups))
    return {name: (one.value(), one.tracks) for name, one in found.items()}


def test_retrieval_by_hand() -> None:
    """The order by angle: for a: b c d; for b: c a d; for c: b a d; for d: c b a."""
    vectors = ring(0, 20, 30, 65)
    found = values(vectors, [0, 1, 0, 1], "abcd")
    # the relevant one is at place 2, 3, 2 and 2; all three candidates are counted
    assert found["map"][0] == pytest.approx((1 / 2 + 1 / 3 + 1 / 2 + 1 / 2) / 4)
    assert found["precision_at_10"][0] == pytest.approx(1 / 3)
    assert {n for _, n in found.values()} == {4}


def test_a_group_is_no_candidate_and_a_query_without_answer_does_not_count() -> None:
    vectors = ring(0, 20, 30, 65)
    assert values(vectors, [0, 0, 0, 1], "aabc")["map"] == (1.0, 3)
    assert values(vectors, [0, 0, -1, -1], "abcd")["map"] == (0.75, 2)


def test_equal_sets_of_tags_are_relevant() -> None:
    tags = [[1, 0, 1], [1, 0, 0], [1, 0, 1], [0, 0, 0]]
    assert values(ring(0, 20, 30, 65), tags, "abcd")["map"] == (0.5, 2)


def test_random_vectors_have_the_precision_of_chance() -> None:
    rng = np.random.default_rng(0)
    vectors, targets = rng.normal(size=(600, 8)), np.arange(600) % 4
    found = retrieval(vectors, targets, [str(i) for i in range(600)])
    assert found["precision_at_10"].value() == pytest.approx(0.25, abs=0.02)


def test_code_length_by_hand() -> None:
    found = code_length(np.array([2.0, 4.0, 0.0]), np.array([1.0, 5.0, 0.0]), 8)
    assert found["bits_per_label"].value() == pytest.approx(1.0)
    assert found["compression"].value() == pytest.approx(3.0)
    assert found["compression"].tracks == 2


def cell(
    level: Level = "clip", noise: float = 0.0, config: ProbeConfig | None = None
) -> pd.DataFrame:
    run = ProbeRun(
        ("low", "middle", "high"), ("sequence",), 2.0, config or LbfgsConfig((1.0, 1e-2, 1e-4)),
        (0,), ROW, readings=("code", "retrieval"),
    )  # fmt: skip
    tracks = make_tracks(20, train=128, noise=(noise, noise, noise))
    return pd.DataFrame(run_cell(StubTask(level), tracks, run).scores)


def test_the_code_of_labels_that_are_plain_costs_the_first_blocks() -> None:
    """Two of 128 labels cost log2 3 bits; a class that no block has shown costs more, once."""
    rows = cell(noise=0.01).set_index(["kind", "metric"])["value"]
    least = 2 * log2(3) / 128
    assert least < rows["code", "bits_per_label"] < 0.25
    assert rows["code", "compression"] == pytest.approx(log2(3) / rows["code", "bits_per_label"])
    assert rows["code-shuffled", "compression"] < 1.1
    assert rows["retrieval", "map"] == pytest.approx(1)
    assert rows["retrieval-shuffled", "map"] < 0.6


@pytest.mark.parametrize("config", [KnnConfig((1, 5)), None])
def test_frames_have_a_code_and_no_retrieval(config: ProbeConfig | None) -> None:
    rows = cell("frame", 1.0, config)
    found = rows.set_index(["kind", "metric"])
    assert found["value"]["code", "compression"] > 1.5
    assert found["n"]["code", "compression"] == 128
    assert not rows["kind"].str.startswith("retrieval").any()
    assert not rows.loc[rows["kind"].str.startswith("code"), "selected"].any()
