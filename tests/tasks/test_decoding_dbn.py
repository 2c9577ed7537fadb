from __future__ import annotations

from collections.abc import Callable

import mir_eval.beat
import numpy as np
import pytest
from helpers import numpy_decoders
from hypothesis import given, settings
from hypothesis import strategies as st

from mirprobe.core.schema import Floats
from mirprobe_tasks.decoding import dbn
from mirprobe_tasks.decoding.dbn import Ints, best_beats, dbn_beats


def activation_of(beats: Floats, frame_rate: float, duration: float, floor: float = 0.02) -> Floats:
    """A bump of 0.9 at each beat, 30 ms to either side, on a floor."""
    times = np.arange(int(duration * frame_rate)) / frame_rate
    distance = np.abs(times[:, None] - beats).min(axis=1)
    return np.asarray(floor + 0.88 * np.exp(-((distance / 0.03) ** 2)))


def beats_of(curve: Floats, frame_rate: float, transition_lambda: float) -> Floats:
    return dbn_beats(curve, frame_rate, [transition_lambda])[0]


def f_measure(reference: Floats, estimate: Floats) -> float:
    return float(mir_eval.beat.f_measure(reference, estimate, f_measure_threshold=0.07))


State = tuple[int, int]  # tempo, position


def best_score(
    on_beat: Floats,
    off_beat: Floats,
    intervals: Ints,
    changes: Floats,
    allowed: Callable[[int, State], bool] = lambda frame, state: True,
) -> float:
    """Viterbi over every (tempo, position) on its own, frame by frame, in plain Python."""
    states = [(i, p) for i, tau in enumerate(intervals) for p in range(tau)]

    def emitted(frame: int, state: State) -> float:
        if not allowed(frame, state):
            return -np.inf
        head = -(-int(intervals[state[0]]) // dbn.OBSERVATION_LAMBDA)
        return float((on_beat if state[1] < head else off_beat)[frame])

    scores = {state: emitted(0, state) for state in states}
    for frame in range(1, len(on_beat)):
        before, scores = scores, {}
        for tempo, position in states:
            if position:
                arrived = before[tempo, position - 1]
            else:
                arrived = max(
                    before[i, int(tau) - 1] + float(changes[i, tempo])
                    for i, tau in enumerate(intervals)
                )
            scores[tempo, position] = arrived + emitted(frame, (tempo, position))
    return max(scores.values())


@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 40),
    st.sampled_from([(2, 3), (3, 4, 5), (4, 5, 6, 7, 8), (15, 17, 20)]),
    st.sampled_from([1.0, 5.0, 50.0]),
)
@settings(max_examples=60, deadline=None)
def test_no_path_through_all_states_is_better(
    seed: int, frames: int, lengths: tuple[int, ...], transition_lambda: float
) -> None:
    activation = np.random.default_rng(seed).random(frames) ** 3
    intervals = np.array(lengths)
    observed, changes = (
        dbn.observations(activation),
        dbn.tempo_changes(intervals, transition_lambda),
    )
    model = (*observed, intervals, changes)
    ((starts, found),) = best_beats(*observed, intervals, [changes])
    beats = dict(zip(starts.tolist(), found.tolist(), strict=True))

    def agrees(frame: int, state: State) -> bool:
        interval, position = lengths[state[0]], state[1]
        begins = frame - position
        if position and frame == 0 and position < -(-interval // dbn.OBSERVATION_LAMBDA):
            return beats.get(begins) == interval
        if position == 0 or begins in beats:
            return beats.get(begins) == interval
        return True

    assert best_score(*model, agrees) == pytest.approx(best_score(*model))


@pytest.mark.parametrize("frame_rate", [20.0, 31.25, 50.0, 86.1328125, 100.0, 200.0])
@pytest.mark.parametrize("bpm", [60, 90, 120, 180])
def test_constant_tempo(frame_rate: float, bpm: int) -> None:
    beats = np.arange(0.37, 23.8, 60 / bpm)
    curve = activation_of(beats, frame_rate, 24.0)
    found = beats_of(curve, frame_rate, 100.0)
    assert f_measure(beats, found) == 1.0
    assert (np.diff(found) > 0).all()


def test_refinement_is_finer_than_a_frame() -> None:
    beats = np.arange(0.37, 23.8, 0.5)
    found = beats_of(activation_of(beats, 50.0, 24.0), 50.0, 100.0)
    assert np.abs(found - beats).max() < 0.005


def test_drifting_tempo_is_followed() -> None:
    intervals = np.linspace(0.6, 0.45, 45)
    beats = 0.4 + np.cumsum(intervals)
    curve = activation_of(beats, 31.25, beats[-1] + 0.5)
    assert f_measure(beats, beats_of(curve, 31.25, 30.0)) > 0.99


def test_missing_beats_are_filled_in() -> None:
    beats = np.arange(0.5, 23.5, 0.5)
    heard = np.delete(beats, [7, 8, 20, 33])
    assert f_measure(beats, beats_of(activation_of(heard, 31.25, 24.0), 31.25, 100.0)) == 1.0


def test_noise_and_false_alarms_are_ignored() -> None:
    rng = np.random.default_rng(3)
    beats = np.arange(0.5, 23.5, 0.48)
    curve = activation_of(beats, 31.25, 24.0, floor=0.1) * rng.uniform(0.4, 1.0, 750)
    curve[rng.choice(750, 12, replace=False)] = 0.6
    assert f_measure(beats, beats_of(curve, 31.25, 100.0)) > 0.95


def test_a_high_lambda_holds_the_tempo() -> None:
    rng = np.random.default_rng(0)
    beats = np.arange(0.5, 23.5, 0.5) + rng.normal(0, 0.03, 46)
    curve = activation_of(beats, 50.0, 24.0)
    loose, tight = (np.diff(beats_of(curve, 50.0, value)).std() for value in (1.0, 500.0))
    assert tight < loose


def test_silence_has_no_beats() -> None:
    assert beats_of(np.full(750, 0.01), 31.25, 100.0).tolist() == []
    beats = np.arange(5.0, 15.0, 0.5)
    found = beats_of(activation_of(beats, 31.25, 24.0), 31.25, 100.0)
    assert f_measure(beats, found) == 1.0


@pytest.mark.parametrize("frames", [1, 2, 5, 20])
def test_very_short_pieces(frames: int) -> None:
    curve = np.full(frames, 0.3)
    curve[0] = 0.9
    found = beats_of(curve, 31.25, 100.0)
    assert len(found) <= 3
    assert (found >= 0).all()


def test_tempo_range_holds_60_to_180() -> None:
    for rate in (50.0, 62.5, 100.0):
        bpm = 60 * rate / dbn.beat_intervals(rate)
        assert bpm.min() < 57
        assert bpm.max() > 205


def test_tempo_changes_are_distributions_that_prefer_to_hold() -> None:
    changes = dbn.tempo_changes(np.arange(14, 55), 100.0)
    assert np.exp(changes).sum(axis=1) == pytest.approx(1)
    assert (changes.argmax(axis=1) == np.arange(41)).all()


@pytest.mark.parametrize("pulse", [dbn.BEATS, dbn.BARS])
@pytest.mark.parametrize("rate", [50.0, 100.0])
def test_equals_the_search_in_numpy(pulse: dbn.Pulse, rate: float) -> None:
    rng = np.random.default_rng(4)
    intervals = dbn.beat_intervals(rate, pulse)
    changes = [dbn.tempo_changes(intervals, value) for value in (10.0, 100.0, 300.0)]
    pulses = activation_of(np.arange(0.4, 12, 0.5), rate, 12.0)
    for curve in (rng.random(600) ** 3, pulses, np.full(300, 0.02), rng.random(1)):
        densities = dbn.observations(curve)
        for own, found in zip(changes, best_beats(*densities, intervals, changes), strict=True):
            expected = numpy_decoders.best_beats(*densities, intervals, own)
            np.testing.assert_array_equal(np.array(found), np.array(expected))


def test_a_grid_gives_what_each_of_its_values_gives() -> None:
    curve = np.random.default_rng(0).random(750)
    values = (1.0, 30.0, 500.0)
    for found, value in zip(dbn_beats(curve, 31.25, values), values, strict=True):
        assert found.tolist() == beats_of(curve, 31.25, value).tolist()
