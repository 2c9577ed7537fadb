from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from helpers.task_checks import as_a_task, ceiling, declared, grid, scored

from mirprobe.core.errors import TrackError
from mirprobe.core.schema import Annotations, Beats
from mirprobe_tasks.beat import Beat
from mirprobe_tasks.downbeat import Downbeat

DOWNBEAT = Downbeat(declared())


def bars(bpm: float, metre: int, start: float = 0.31, stop: float = 23.5) -> Annotations:
    times = np.arange(start, stop, 60 / bpm)
    return Annotations(beats=Beats(times, np.arange(len(times)) % metre + 1))


def placed(times: Sequence[float], positions: Any) -> Annotations:
    return Annotations(beats=Beats(np.array(times, dtype=np.float64), positions))


def test_is_a_task_of_one_label() -> None:
    as_a_task(DOWNBEAT)
    assert DOWNBEAT.labels == ("downbeat",)
    assert next(iter(DOWNBEAT.decodings)) == "peak"


def test_targets_are_those_of_the_beats_at_position_one() -> None:
    reference, times = bars(100, 3), grid(31.25)
    assert reference.beats is not None
    alone = Annotations(beats=Beats(reference.beats.times[::3]))
    expected = Beat(declared()).targets(alone, times)
    assert (DOWNBEAT.targets(reference, times) == expected).all()
    nothing = DOWNBEAT.targets(placed([1.0, 2.0], np.array([2, 3])), times)
    assert nothing.shape == (len(times), 1)
    assert not nothing.any()


@pytest.mark.parametrize("decoding", ["peak", "dbn"])
@pytest.mark.parametrize(("bpm", "metre"), [(63, 4), (100, 3), (132, 2), (176, 4)])
def test_the_ceiling_rises_with_the_rate(decoding: str, bpm: float, metre: int) -> None:
    reference = bars(bpm, metre)
    best = [ceiling(DOWNBEAT, reference, rate, 24.0, decoding) for rate in (5.0, 31.25, 100.0)]
    assert best[0]["f_measure"] < 0.95
    for found in best[1:]:
        assert found == {"f_measure": 1, "cmlt": 1, "amlt": 1}


def test_the_other_beats_do_not_count() -> None:
    reference = bars(120, 4)
    assert reference.beats is not None
    every = Annotations(
        beats=Beats(reference.beats.times, np.ones(len(reference.beats.times), np.int64))
    )
    assert scored(DOWNBEAT, [reference], [reference])["f_measure"] == 1
    # all 47 beats said to be downbeats: recall 1, precision 12 / 47
    assert scored(DOWNBEAT, [reference], [every])["f_measure"] == pytest.approx(24 / 59)
    assert reference.beats.positions is not None
    shifted = reference.beats.positions % 4 + 1
    later = Annotations(beats=Beats(reference.beats.times, shifted))
    assert scored(DOWNBEAT, [reference], [later])["f_measure"] == 0


def test_trim_is_the_data_sets() -> None:
    songs = Downbeat(declared(trim=5.0))
    reference, estimate = bars(120, 4, start=0.5), bars(120, 4, start=6.5)
    assert scored(DOWNBEAT, [reference], [estimate])["f_measure"] < 1
    assert scored(songs, [reference], [estimate])["f_measure"] == 1
    assert (DOWNBEAT.conditions([]), songs.conditions([])) == ("trim=0.0", "trim=5.0")


def test_a_piece_without_downbeats_is_left_out() -> None:
    reference, empty = bars(120, 4), placed([1.0, 2.0], np.array([2, 3]))
    found = scored(DOWNBEAT, [reference, empty], [reference, reference])
    assert found["f_measure"] == 1


@pytest.mark.parametrize("rate", [31.25, 100.0])
def test_a_blind_guess_finds_something_by_both(rate: float) -> None:
    """Otherwise chance would be 0, and any probe of shuffled labels better."""
    times = grid(rate)
    share = DOWNBEAT.targets(bars(63, 4), times).mean()
    noise = np.random.default_rng(0).normal(0, 1e-3, (len(times), 1))
    logits = (np.log(share / (1 - share)) + noise).astype(np.float32)
    for decoding, choices in DOWNBEAT.decodings.items():
        counts = []
        for parameters in choices:
            found = DOWNBEAT.decode(logits, times, decoding, parameters).beats
            assert found is not None
            assert found.positions is not None
            assert len(found.times) == len(found.positions)
            assert (np.diff(found.times) > 0).all()
            counts.append(len(found.times))
        assert max(counts) > 3


@pytest.mark.parametrize(
    ("annotations", "message"),
    [
        (Annotations(), "no beats"),
        (placed([0.5, 1.0], None), "beats have no positions: number the beats"),
        (placed([0.5, 1.0], np.array([1])), "1 positions for 2 beats: give one for each beat"),
        (placed([0.5, 1.0], np.array([0, 1])), "beat 0 has position 0: count from 1"),
        (placed([0.5, 1.0], np.array([1.0, 1.5])), "beat 1 has position 1.5"),
        (placed([0.5, 1.0], np.array([1.0, np.nan])), "beat 1 has position nan"),
        (placed([1.0, 0.5], np.array([1, 2])), "beat 1 at 0.500 s must come after"),
    ],
)
def test_malformed_beats(annotations: Annotations, message: str) -> None:
    with pytest.raises(TrackError, match=message):
        DOWNBEAT.targets(annotations, grid(31.25))
