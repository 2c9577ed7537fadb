from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mirprobe.api.dataset import Dataset
from mirprobe.api.task import Task
from mirprobe.core.errors import TrackError
from mirprobe.core.schema import Annotations, Beats, Floats
from mirprobe_tasks.beat import Beat


def task_with(trim: float) -> Beat:
    return Beat(cast(Dataset, SimpleNamespace(name="stub", tags=(), trim=trim)))


BEAT = task_with(trim=0.0)


def beats(times: Any) -> Annotations:
    return Annotations(beats=Beats(np.asarray(times, dtype=np.float64)))


def grid(rate: float, seconds: float = 24.0) -> Floats:
    return np.arange(int(seconds * rate)) / rate


def certain(target: NDArray[np.float32]) -> NDArray[np.float32]:
    """The targets as logits, log odds."""
    clipped = target.clip(1e-5, 1 - 1e-5)
    return np.asarray(np.log(clipped / (1 - clipped)), dtype=np.float32)


def found(estimate: Annotations) -> Floats:
    assert estimate.beats is not None
    return estimate.beats.times


def scores(reference: Annotations, estimate: Annotations, task: Beat = BEAT) -> dict[str, float]:
    return {name: value.value() for name, value in task.score([reference], [estimate]).items()}


def test_is_a_task_of_one_label() -> None:
    task: Task = BEAT
    assert task.labels == ("beat",)
    assert task.main_metric in task.metrics
    assert next(iter(task.decodings)) == "peak"


@pytest.mark.parametrize(
    ("rate", "around"),
    [
        (5.0, [0, 0, 0, 1, 0, 0, 0]),
        (31.25, [0, 0, 0.5, 1, 0.5, 0, 0]),
        (100.0, [0.25, 0.5, 0.75, 1, 0.75, 0.5, 0.25]),
    ],
)
def test_targets_fall_off_around_the_nearest_frame(rate: float, around: list[float]) -> None:
    target = BEAT.targets(beats([(40 + 0.3) / rate]), grid(rate, 100 / rate + 1e-6))
    assert target.shape == (100, 1)
    assert target.dtype == np.float32
    assert target[37:44, 0].tolist() == around
    assert target.sum() == pytest.approx(sum(around))


def test_no_beats_and_beats_off_the_grid() -> None:
    times = grid(31.25, 1.0)
    assert BEAT.targets(beats([]), times).tolist() == [[0.0]] * len(times)
    assert BEAT.targets(beats([times[-1] + 0.05]), times).sum() == 0
    assert BEAT.targets(beats([0.0]), times)[:2, 0].tolist() == [1, 0.5]


@pytest.mark.parametrize("decoding", ["peak", "dbn"])
@pytest.mark.parametrize("bpm", [60, 97, 180])
def test_the_ceiling_rises_with_the_rate(decoding: str, bpm: int) -> None:
    reference = beats(np.arange(0.31, 23.9, 60 / bpm))
    best = []
    for rate in (5.0, 31.25, 100.0):
        times = grid(rate)
        logits = certain(BEAT.targets(reference, times))
        estimates = [BEAT.decode(logits, times, decoding, p) for p in BEAT.decodings[decoding]]
        best.append(max((scores(reference, e) for e in estimates), key=lambda s: s["f_measure"]))
    assert best[0]["f_measure"] < 0.9  # a frame of 200 ms misses by up to 100, 70 are allowed
    for ceiling in best[1:]:
        assert ceiling["f_measure"] == 1
        assert ceiling["cmlt"] == ceiling["p_score"] == 1


@given(st.integers(0, 2**32 - 1), st.sampled_from([31.25, 50.0, 100.0]))
@settings(max_examples=30, deadline=None)
def test_peaks_are_within_half_a_frame(seed: int, rate: float) -> None:
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.uniform(0.3, 1.0, 25)) - 0.2
    times = times[times < 15]
    frames = grid(rate, 16.0)
    logits = certain(BEAT.targets(beats(times), frames))
    estimate = found(BEAT.decode(logits, frames, "peak", {"threshold": 0.5}))
    assert len(estimate) == len(times)
    assert np.abs(estimate - times).max() <= 0.5 / rate + 1e-6


@pytest.mark.parametrize("scale", [20.0, 200.0])
def test_saturated_logits_do_not_tie(scale: float) -> None:
    times = grid(100.0)
    reference = beats(np.arange(0.5, 23, 0.5))
    logits = (scale * BEAT.targets(reference, times)).astype(np.float32)
    estimate = BEAT.decode(logits, times, "peak", {"threshold": 0.5})
    assert scores(reference, estimate)["f_measure"] == 1


def test_thresholds_differ() -> None:
    times = grid(31.25, 2.0)
    logits = np.full((len(times), 1), -6, dtype=np.float32)
    logits[[10, 30, 50], 0] = [-1.5, 0.5, 3]  # 0.18, 0.62, 0.95
    counts = [
        len(found(BEAT.decode(logits, times, "peak", {"threshold": t}))) for t in (0.1, 0.5, 0.9)
    ]
    assert counts == [3, 2, 1]


def test_blind_logits_are_decoded_by_both() -> None:
    times = grid(31.25)
    logits = np.full((len(times), 1), -2, dtype=np.float32)
    for decoding, parameters in BEAT.decodings.items():
        for chosen in parameters:
            estimate = found(BEAT.decode(logits, times, decoding, chosen))
            assert (np.diff(estimate) > 0).all()


def test_trim_is_the_data_sets() -> None:
    reference, estimate = beats(np.arange(0.5, 20, 0.5)), beats(np.arange(5.0, 20, 0.5))
    assert scores(reference, estimate)["f_measure"] < 1
    songs = task_with(trim=5.0)
    assert scores(reference, estimate, songs)["f_measure"] == 1
    assert (BEAT.conditions([]), songs.conditions([])) == ("trim=0.0", "trim=5.0")


@pytest.mark.parametrize(
    ("annotations", "message"),
    [
        (Annotations(), "no beats"),
        (beats([1.0, 0.5]), r"beat 1 at 0.500 s must come after"),
        (beats([1.0, 1.0]), "beat 1 at 1.000 s"),
        (beats([-0.1, 0.5]), "beat 0 at -0.100 s"),
        (beats([0.5, float("nan")]), "beat 1 at nan s"),
        (beats([[0.5, 1.0]]), r"shape \(1, 2\)"),
    ],
)
def test_malformed_beats(annotations: Annotations, message: str) -> None:
    with pytest.raises(TrackError, match=message):
        BEAT.targets(annotations, grid(31.25))
