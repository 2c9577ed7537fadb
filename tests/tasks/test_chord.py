from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirprobe.api.dataset import Dataset
from mirprobe.api.task import Task
from mirprobe.core.errors import TrackError
from mirprobe.core.schema import Annotations, Floats, Segments
from mirprobe_tasks.chord import Chord

CHORD = Chord(cast(Dataset, SimpleNamespace(name="stub", tags=(), trim=0.0)))
NOTHING: dict[str, float] = {}


def chords(*rows: tuple[float, float, str]) -> Annotations:
    intervals = np.array([row[:2] for row in rows], dtype=np.float64).reshape(-1, 2)
    return Annotations(chords=Segments(intervals, tuple(row[2] for row in rows)))


def song(seconds_each: float) -> Annotations:
    labels = ["N", "C:maj", "A:min7", "F:maj/3", "B:dim", "G:7", "C", "F#:min"]
    rows = [(i * seconds_each, (i + 1) * seconds_each, label) for i, label in enumerate(labels)]
    return chords(*rows)


def grid(rate: float, seconds: float) -> Floats:
    return np.arange(int(seconds * rate)) / rate


def certain(
    reference: Annotations, times: Floats
) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """The targets as logits; a frame outside the classes favours none."""
    hit = CHORD.targets(reference, times)[:, None] == np.arange(25)
    return np.where(hit, 12, 0).astype(np.float32)


def scores(reference: Annotations, estimate: Annotations) -> dict[str, float]:
    return {name: value.value() for name, value in CHORD.score([reference], [estimate]).items()}


def test_is_a_task_of_25_classes() -> None:
    task: Task = CHORD
    assert len(set(task.labels)) == 25
    assert task.labels[-1] == "N"
    assert task.main_metric in task.metrics
    assert next(iter(task.decodings)) == "frame"


def test_a_frame_takes_the_segment_that_holds_its_centre() -> None:
    annotations = chords((0.1, 1, "C:maj"), (1, 1.6, "A:min7/b3"), (1.6, 1.7, "X"), (2, 3, "N"))
    target = CHORD.targets(annotations, np.array([0.0, 0.1, 0.999, 1.0, 1.65, 1.8, 2.5, 3.0]))
    c, a = CHORD.labels.index("C:maj"), CHORD.labels.index("A:min")
    assert target.tolist() == [-1, c, c, a, -1, -1, 24, -1]
    assert target.dtype == np.int64


@pytest.mark.parametrize("decoding", ["frame", "viterbi"])
def test_the_ceiling_rises_with_the_rate(decoding: str) -> None:
    reference = song(1.37)
    ceilings = []
    for rate in (5.0, 31.25, 100.0):
        times = grid(rate, 8 * 1.37)
        parameters = CHORD.decodings[decoding][0]
        estimate = CHORD.decode(certain(reference, times), times, decoding, parameters)
        values = scores(reference, estimate)
        assert values["accuracy"] == pytest.approx(values["majmin"], abs=0.01)
        # each of 7 boundaries is off by half a frame at most, the end by one; B:dim does not count
        assert 1 - (7 * 0.5 + 1) / rate / (7 * 1.37) <= values["majmin"] <= 1
        ceilings.append(values["majmin"])
    assert ceilings[0] < 0.95 < ceilings[1] < ceilings[2]


@given(st.integers(0, 2**32 - 1), st.sampled_from([5.0, 31.25, 100.0]))
@settings(max_examples=30, deadline=None)
def test_decode_inverts_targets_on_the_grid(seed: int, rate: float) -> None:
    classes = np.random.default_rng(seed).integers(25, size=20).repeat(2)
    times = grid(rate, 40 / rate + 1e-6)
    logits = np.eye(25, dtype=np.float32)[classes] * 12
    estimate = CHORD.decode(logits, times, "frame", NOTHING)
    assert CHORD.targets(estimate, times).tolist() == classes.tolist()
    assert estimate.chords is not None
    intervals = estimate.chords.intervals
    assert intervals[0, 0] == 0
    assert (intervals[1:, 0] == intervals[:-1, 1]).all()
    assert scores(estimate, estimate)["majmin"] == pytest.approx(1)


def test_viterbi_smooths_an_outlier() -> None:
    logits = np.zeros((60, 25), dtype=np.float32)
    logits[:30, 0] = logits[30:, 9] = 2
    logits[10] = np.eye(25)[4] * 3
    times = grid(31.25, 60 / 31.25)
    rough = CHORD.decode(logits, times, "frame", NOTHING).chords
    smooth = CHORD.decode(logits, times, "viterbi", {"jump_cost": 2.0}).chords
    assert rough is not None
    assert smooth is not None
    assert len(rough.labels) == 4
    assert smooth.labels == ("C:maj", "A:maj")


def test_a_cost_gives_the_same_segments_at_every_frame_rate() -> None:
    slow = 3 * np.random.default_rng(0).normal(size=(60, 25)).astype(np.float32)
    found = [
        CHORD.decode(logits, np.arange(len(logits)) / rate, "viterbi", {"jump_cost": 4.0}).chords
        for logits, rate in ((slow, 10.0), (slow.repeat(10, axis=0), 100.0))
    ]
    assert found[0] is not None
    assert found[1] is not None
    assert found[0].labels == found[1].labels
    assert 1 < len(found[0].labels) < 60
    # boundaries lie half-way between frames, so that they differ by half a frame
    inner = found[1].intervals[1:, 0] - found[0].intervals[1:, 0]
    assert inner == pytest.approx((0.1 - 0.01) / 2)


def test_one_frame() -> None:
    estimate = CHORD.decode(np.eye(25, dtype=np.float32)[:1], np.zeros(1), "frame", NOTHING)
    assert estimate.chords is not None
    assert estimate.chords.labels == ("C:maj",)


@pytest.mark.parametrize(
    ("annotations", "message"),
    [
        (Annotations(), "no chords"),
        (chords(), "at least one segment"),
        (chords((0, 2, "N"), (1, 3, "N")), r"chord 1 from 1.000 to 3.000 s must start at 1.999 s"),
        (chords((2, 3, "N"), (0, 1, "N")), "chord 1"),
        (chords((1, 1, "N")), "chord 0"),
        (chords((-1, 1, "N")), "start at 0.000 s"),
        (chords((0, float("nan"), "N")), "chord 0"),
        (chords((0, 1, "H:maj")), '"H:maj"'),
        (chords((0, 1, "C:maj11")), '"C:maj11"'),
        (chords((0, 1, "")), '""'),
        (Annotations(chords=Segments(np.zeros((2, 2)), ("N",))), "1 chord labels"),
    ],
)
def test_malformed_chords(annotations: Annotations, message: str) -> None:
    with pytest.raises(TrackError, match=message):
        CHORD.targets(annotations, grid(31.25, 4.0))
