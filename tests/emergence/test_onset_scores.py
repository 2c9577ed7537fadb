from __future__ import annotations

import numpy as np
import pytest

from mirprobe.core.schema import Floats
from mirprobe.emergence.onset_detector import SHIFTS, SMOOTHING, THRESHOLDS, PeakSettings, detect
from mirprobe.emergence.onset_scores import (
    OnsetTrack,
    best_setting,
    chance_onsets,
    chance_results,
    f_measure_grid,
    mark_selected,
    result,
)
from mirprobe.metrics.onset import scores

RATE = 31.25


def bumps(times: Floats, frames: int) -> Floats:
    grid = np.arange(frames) / RATE
    return np.asarray(np.exp(-(((grid[:, None] - times) / 0.03) ** 2)).sum(1))


def test_tally_is_the_detector_under_every_setting() -> None:
    rng = np.random.default_rng(0)
    reference = np.sort(rng.uniform(0.2, 7.5, 25))
    curves = np.stack([bumps(reference, 250), rng.random(250)], 1)
    found = f_measure_grid(curves, reference, RATE)
    assert found.shape == (2, len(SMOOTHING), len(THRESHOLDS), len(SHIFTS))
    for s, smoothing in enumerate(SMOOTHING):
        for t, threshold in enumerate(THRESHOLDS):
            for h, shift in enumerate(SHIFTS):
                for column in (0, 1):
                    estimate = detect(
                        curves[:, column], PeakSettings(smoothing, threshold, shift), RATE
                    )
                    assert found[column, s, t, h] == pytest.approx(scores(reference, estimate)[0])


def test_a_late_curve_is_shifted_back() -> None:
    reference = np.arange(0.5, 9.0, 0.63)
    found = f_measure_grid(bumps(reference + 0.064, 300)[:, None], reference, RATE)
    best = best_setting(found)
    assert best.validation == 1.0
    assert best.peak_settings.shift < 0
    assert best.row == {**best.row, "shift": best.peak_settings.shift, "validation": 1.0}


def test_the_best_reading_wins_and_the_first_of_equals() -> None:
    totals = np.zeros((3, len(SMOOTHING), len(THRESHOLDS), len(SHIFTS)))
    totals[1, 1, 2, 3] = totals[2] = 0.7
    best = best_setting(totals)
    assert (best.reading, best.peak_settings) == (
        1,
        PeakSettings(SMOOTHING[1], THRESHOLDS[2], SHIFTS[3]),
    )


def test_guesses_know_only_how_many_there_are() -> None:
    known = OnsetTrack("a", np.array([0.1, 0.2, 5.0, 5.5]), 8.0, "a")
    assert chance_onsets("even", known, 1.0, 0).tolist() == [1.0, 3.0, 5.0, 7.0]
    assert len(chance_onsets("even", known, 0.1, 0)) == 1
    uniform = chance_onsets("uniform", known, 2.0, 0)
    assert len(uniform) == 8
    assert (np.diff(uniform) >= 0).all()
    assert uniform.min() >= 0
    assert uniform.max() <= 8
    np.testing.assert_array_equal(uniform, chance_onsets("uniform", known, 2.0, 0))
    assert not np.array_equal(uniform, chance_onsets("uniform", known, 2.0, 1))


def test_even_guesses_find_even_onsets() -> None:
    tracks = [OnsetTrack(str(n), np.arange(0.5, 10.0), 10.0, str(n)) for n in range(4)]
    even, uniform = chance_results(tracks, tracks, 0)
    assert (even.row["model"], even.row["value"]) == ("even", 1.0)
    assert even.row["reading"] == "1 chance onsets per onset"
    assert uniform.row["value"] < 0.5


def test_the_selected_row_is_the_one_that_validation_prefers() -> None:
    rows = [
        result(
            {"model": "trained", "seed": -1, "validation": value},
            [(score, 1.0, 0.5)] * 3,
            list("abc"),
        )
        for value, score in ((0.3, 0.9), (0.5, 0.2), (0.5, 0.4))
    ]
    chosen = mark_selected(rows)
    assert [one.row["selected"] for one in chosen] == [False, True, False]
    assert chosen[1].row["value"] == pytest.approx(0.2)
    assert (chosen[0].row["precision"], chosen[0].row["recall"], chosen[0].row["n"]) == (1, 0.5, 3)
