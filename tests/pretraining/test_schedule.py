from __future__ import annotations

import pytest

from mirprobe.pretraining.schedule import cosine, warmup_cosine


def rate(step: int) -> float:
    return warmup_cosine(step, steps=111, warmup=10, peak=5e-4, last=1.5e-6)


def test_warm_up_is_a_straight_line_that_ends_at_the_peak() -> None:
    assert [rate(step) for step in range(11)] == pytest.approx(
        [5e-4 * (step + 1) / 11 for step in range(11)]
    )


def test_cosine_at_its_corners() -> None:
    assert rate(10) == pytest.approx(5e-4)
    assert rate(60) == pytest.approx((5e-4 + 1.5e-6) / 2)  # half of the 100 steps after the peak
    assert rate(110) == pytest.approx(1.5e-6)
    assert rate(10_000) == pytest.approx(1.5e-6)
    assert all(rate(step) > rate(step + 1) for step in range(10, 110))


def test_weight_decay_of_the_paper() -> None:
    values = [cosine(step, steps=101, first=0.04, last=0.01) for step in range(101)]
    assert (values[0], values[50], values[100]) == pytest.approx((0.04, 0.025, 0.01))
    assert values == sorted(values, reverse=True)


@pytest.mark.parametrize(("steps", "warmup"), [(1, 0), (1, 1), (1, 5), (5, 5), (2, 1)])
def test_short_trainings_stay_within_the_bounds(steps: int, warmup: int) -> None:
    values = [
        warmup_cosine(step, steps=steps, warmup=warmup, peak=1.0, last=0.1) for step in range(steps)
    ]
    assert all(0 < value <= 1 for value in values)


def test_one_step_runs_at_the_first_value() -> None:
    assert cosine(0, steps=1, first=0.04, last=0.01) == 0.04
