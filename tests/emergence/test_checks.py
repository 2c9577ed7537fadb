"""Ranks, p values, Holm's correction and verdicts, in closed form and in simulation."""

from __future__ import annotations

from collections.abc import Sequence
from math import pi, sqrt

import numpy as np
import pytest
from scipy.stats import ttest_1samp, ttest_ind

from mirprobe.core.bootstrap import weighted_mean
from mirprobe.core.confidence_intervals import Estimate, jackknife
from mirprobe.core.schema import Floats
from mirprobe.emergence.checks import (
    FAILS,
    HOLDS,
    NOT_TESTED,
    PARTLY,
    WITHOUT,
    Check,
    Claim,
    Effect,
    Kind,
    above,
    above_random,
    correct,
    family,
    one_sided_p,
    rank_among,
    single_case_p,
)
from mirprobe.emergence.rows import Interval

NONE = Interval(0.0, 0.0, 0.0)


def estimate(tracks: Floats) -> Estimate:
    """The mean over tracks, each its own group: the pseudo-values are the tracks themselves."""
    parts = tracks.reshape(1, 1, 1, 1, -1)
    return Estimate(np.full((1, 1, 1, 1), tracks.mean()), parts, len(tracks))


def effect(present: bool, untrained: bool, training: bool, reference: bool | None = None) -> Effect:
    """An effect of which these checks pass."""
    found: dict[Kind, bool | None] = {
        "present": present, "training": training, "untrained": untrained, "reference": reference,
    }  # fmt: skip
    checks = [
        Check(kind, "a - b", NONE, 0.5, corrected=0.01 if passes else 0.5)
        for kind, passes in found.items()
        if passes is not None
    ]
    return Effect("a", tuple(checks))


@pytest.mark.parametrize(
    ("own", "verdict"),
    [
        (effect(True, True, True), HOLDS),
        (effect(True, False, True), HOLDS),
        (effect(True, True, True, True), HOLDS),
        (effect(True, True, True, False), PARTLY),  # not above spectral flux
        (effect(True, True, False), WITHOUT),
        (effect(True, True, False, False), WITHOUT),
        (effect(True, False, False), PARTLY),  # random weights may or may not reach it
        (effect(False, True, True), PARTLY),
        (effect(False, False, True), PARTLY),
        (effect(False, True, False), FAILS),
        (effect(False, False, False), FAILS),
        (Effect("a", ()), FAILS),
    ],
)
def test_verdicts_follow_from_checks(own: Effect, verdict: str) -> None:
    assert own.verdict == verdict
    assert Claim("", "", (own, own)).verdict == verdict
    assert Claim("", "", (own,), testable=False).verdict == NOT_TESTED


def test_a_claim_has_what_its_subjects_share() -> None:
    holds, without, fails = (effect(True, True, training) for training in (True, False, False))
    fails = effect(False, False, False)
    for effects, verdict in (
        ((holds, holds), HOLDS),
        ((without, fails), WITHOUT),
        ((holds, without), PARTLY),
        ((holds, fails), PARTLY),
    ):
        assert Claim("", "", effects).verdict == verdict


@pytest.mark.parametrize(
    ("sample", "rank", "p"),
    [
        ([0.1, 0.2, 0.3], "1 of 4 (p 0.250)", 1 / 4),
        ([0.1, 0.5, 0.9], "3 of 4 (p 0.750)", 3 / 4),  # a tie counts against it
        ([0.7] * 20, "21 of 21 (p 1.000)", 1.0),
        ([0.1] * 20, "1 of 21 (p 0.048)", 1 / 21),
    ],
)
def test_rank_among_random_weights(sample: list[float], rank: str, p: float) -> None:
    found = rank_among(0.5, np.array(sample))
    assert str(found) == rank
    assert found.p == pytest.approx(p)


def test_a_single_case_is_a_sample_of_one_against_a_sample() -> None:
    sample = np.array([0.40, 0.38, 0.39, 0.386, 0.41])
    for value in (0.35, 0.39, 0.41, 0.47):
        known = ttest_ind([value], sample, alternative="greater").pvalue
        assert single_case_p(value, sample) == pytest.approx(known)
    # two seeds: Student's t with one degree of freedom is Cauchy's distribution
    t = (2.0 - 0.5) / sqrt(0.5 * 1.5)
    assert single_case_p(2.0, np.array([0.0, 1.0])) == pytest.approx(0.5 - np.arctan(t) / pi)
    assert np.isnan(single_case_p(1.0, np.array([0.0])))
    assert single_case_p(1.0, np.zeros(3)) == 0.0
    assert single_case_p(0.0, np.zeros(3)) == 1.0


def test_p_of_a_difference_is_one_sided() -> None:
    tracks = np.array([-2.0, -1.0, 0.5, 3.0, 4.5, 7.0]) + np.array([-1, 1, -1, 1, -1, 1])
    tracks = np.concatenate([tracks - tracks.mean(), tracks.mean() - tracks]) + 1.5  # no skewness
    known = ttest_1samp(tracks, 0, alternative="greater").pvalue
    assert one_sided_p(estimate(tracks)) == pytest.approx(known)
    assert one_sided_p(estimate(-tracks)) == pytest.approx(1 - known)


def test_above_random_weights_needs_both_p_values() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 50)
    draws = [estimate(noise + shift) for shift in (0.0, 0.02, 0.04)]
    check = above_random("trained - random", estimate(noise + 0.05), draws)
    assert check.gain.value == pytest.approx(0.03)
    assert check.p == pytest.approx(single_case_p(0.05, np.array([0.0, 0.02, 0.04])))
    assert str(check.rank) == "1 of 4 (p 0.250)"
    wild = estimate(np.where(np.arange(50) < 2, 3.0, 0.0) + noise)  # two tracks alone
    check = above_random("trained - random", wild, draws)
    assert check.p == pytest.approx(one_sided_p(wild - family(draws)))
    assert check.p > 0.05 > single_case_p(wild.value, np.array([0.0, 0.02, 0.04]))
    assert np.isnan(above_random("", wild, draws[:1]).p)


def test_intervals_are_those_of_groups() -> None:
    values, groups = [0.9, 0.9, 0.1, 0.1, 0.5, 0.5], ["a", "a", "b", "b", "c", "c"]
    mean = weighted_mean(values)
    grouped, alone = (
        above("present", "", jackknife(mean, own)) for own in (groups, range(len(values)))
    )
    assert grouped.p > alone.p
    assert grouped.gain.low < alone.gain.low


def test_holm_covers_all_claims() -> None:
    def claim(*p: float) -> Claim:
        return Claim("", "", (Effect("a", tuple(Check("present", "", NONE, one) for one in p)),))

    corrected = correct([claim(0.02, 0.01), claim(), claim(0.015, float("nan"), 0.9)])
    found = [check.corrected for one in corrected for check in one.checks]
    assert found == pytest.approx([0.045, 0.04, 0.045, float("nan"), 0.9], nan_ok=True)
    assert [check.passes for check in corrected[0].checks] == [True, True]
    assert not corrected[2].checks[1].passes


TRACKS, SEEDS, SUBJECTS, PAGES = 40, 5, 6, 400


def page(rng: np.random.Generator, spread: float, control: float) -> Sequence[Check]:
    """The corrected checks of a page on which training has no effect.

    Args:
        rng: source of the draws.
        spread: standard deviation of the seeds of random weights; the trained model is one of them.
        control: mean of the control; that of the seeds is 0.
    """
    claims = []
    for _ in range(SUBJECTS):
        hard = rng.normal(0, 1, TRACKS)  # shared by all that is compared
        own = (
            hard
            + rng.normal(0, 0.3, (SEEDS + 2, TRACKS))
            + rng.normal(0, spread, SEEDS + 2)[:, None]
        )
        mine, *draws = map(estimate, own[1:])
        baseline = estimate(hard + control + rng.normal(0, 0.3, TRACKS))
        checks = (
            above("present", "", mine - baseline),
            above_random("", mine, draws),
            above("untrained", "", family(draws) - baseline),
        )
        claims.append(Claim("", "", (Effect("", checks),)))
    return [check for claim in correct(claims) for check in claim.checks]


def test_without_an_effect_a_page_claims_nothing() -> None:
    rng = np.random.default_rng(1)
    wrong = uncorrected = 0
    for _ in range(PAGES):
        checks = page(rng, 0.0, 0.0)
        wrong += any(check.passes for check in checks)
        uncorrected += any(check.p < 0.05 for check in checks)
    assert wrong / PAGES <= 0.06
    assert uncorrected / PAGES > 0.3  # what the correction is for


def test_what_random_weights_reach_is_not_claimed_of_training() -> None:
    rng = np.random.default_rng(2)
    wrong = 0
    for _ in range(PAGES):
        checks = page(rng, 0.2, -3.0)
        wrong += any(check.passes for check in checks if check.kind == "training")
        assert all(check.passes for check in checks if check.kind != "training")
    assert wrong / PAGES <= 0.06
