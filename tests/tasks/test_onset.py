from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers.task_checks import as_a_task, ceiling, declared, grid, scored
from hypothesis import given, settings
from hypothesis import strategies as st

from mirprobe.api.task import conditions_of
from mirprobe.core.errors import TrackError
from mirprobe.core.schema import Annotations
from mirprobe_tasks.common.activation import activation
from mirprobe_tasks.onset import Onset

ONSET = Onset(declared())


def onsets(times: Any) -> Annotations:
    return Annotations(onsets=np.asarray(times, dtype=np.float64))


def test_is_a_task_of_one_label() -> None:
    as_a_task(ONSET)
    assert ONSET.labels == ("onset",)
    assert conditions_of(ONSET)([]) == ""


@pytest.mark.parametrize(
    ("rate", "around"),
    [
        (5.0, [0, 0, 1, 0, 0]),
        (31.25, [0, 0.5, 1, 0.5, 0]),
        (100.0, [1 / 3, 2 / 3, 1, 2 / 3, 1 / 3]),
    ],
)
def test_targets_fall_off_around_the_nearest_frame(rate: float, around: list[float]) -> None:
    target = ONSET.targets(onsets([(40 + 0.3) / rate]), grid(rate, 100 / rate + 1e-6))
    assert target.shape == (100, 1)
    assert target.dtype == np.float32
    assert target[38:43, 0].tolist() == pytest.approx(around)


@given(st.integers(0, 2**32 - 1), st.sampled_from([5.0, 31.25, 100.0]), st.integers(0, 40))
@settings(max_examples=50, deadline=None)
def test_activation_against_all_distances(seed: int, rate: float, count: int) -> None:
    times = grid(rate, 10.0)
    events = np.sort(np.random.default_rng(seed).uniform(0, 10.3, count))
    reach = round(Onset.widening * rate)
    nearest = [round(event * rate) for event in events if event * rate < len(times) - 0.5]
    naive = [
        max([0.0, *(1 - abs(frame - near) / (reach + 1) for near in nearest)])
        for frame in range(len(times))
    ]
    assert activation(events, times, Onset.widening).tolist() == pytest.approx(naive)


def test_the_ceiling_rises_with_the_rate() -> None:
    rng = np.random.default_rng(0)
    reference = onsets(np.cumsum(rng.uniform(0.04, 0.4, 100)))
    best = [ceiling(ONSET, reference, rate, 25.0)["f_measure"] for rate in (5.0, 31.25, 100.0)]
    assert best[0] < 0.5
    assert best[0] < 0.95 < best[1] < best[2] == 1


def test_scores_are_means_over_pieces_that_have_onsets() -> None:
    truth, nothing = np.arange(1.0, 11.0), np.empty(0)
    found = scored(
        ONSET,
        [onsets(truth), onsets(truth), onsets(nothing)],
        [onsets(truth[:5] + 0.04), onsets(nothing), onsets(truth)],
    )
    assert found == {
        "precision": 0.5,
        "recall": 0.25,
        "f_measure": pytest.approx(2 * 0.5 / 1.5 / 2),
    }


@pytest.mark.parametrize(
    ("annotations", "message"),
    [
        (Annotations(), "no onsets"),
        (onsets([1.0, 0.5]), r"onset 1 at 0.500 s must come after .* sort the times"),
        (onsets([1.0, 1.0]), "onset 1 at 1.000 s"),
        (onsets([-0.1, 0.5]), "onset 0 at -0.100 s"),
        (onsets([0.5, float("nan")]), "onset 1 at nan s"),
        (onsets([[0.5, 1.0]]), r"onset times of shape \(1, 2\)"),
    ],
)
def test_malformed_onsets(annotations: Annotations, message: str) -> None:
    with pytest.raises(TrackError, match=message):
        ONSET.targets(annotations, grid(31.25))
