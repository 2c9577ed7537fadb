"""Checks of a claim: differences, ranks among random weights, p values and verdicts.

All p values are one-sided: a check asks whether a difference lies above zero.

- `present`: the trained model is above a control. p is that of the paired difference over groups of
  test tracks.
- `reference`: the same for a reference that a claim must pass beyond the control.
- `untrained`: the mean over the seeds of random weights is above a control. p covers groups of test
  tracks and seeds.
- `training`: the trained model is above random weights. Two p values must be small, so that the
  larger one counts: that of the difference to the mean of the seeds, as for `untrained`; and that
  of the trained model as one more seed, with Student's t for a single case against a sample
  (Crawford & Howell, The Clinical Neuropsychologist 12, 1998). The rank among the seeds stands
  beside it with its own p, which cannot fall below 1 / (seeds + 1) and would never pass Holm's
  correction.

Holm's correction covers all checks of all claims.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import sqrt
from typing import Literal

import numpy as np
from scipy.special import stdtr

from mirprobe.core.confidence_intervals import Estimate, grid, p_value
from mirprobe.core.schema import Floats
from mirprobe.emergence.rows import Interval, interval_of
from mirprobe.reporting.ranks import LEVEL, holm

HOLDS, PARTLY, WITHOUT = "holds", "holds partly", "present without training"
FAILS, NOT_TESTED = "does not hold", "not testable"

Kind = Literal["present", "reference", "untrained", "training"]


@dataclass(frozen=True)
class Rank:
    """The rank of the trained model among seeds of random weights.

    Attributes:
        rank: 1 plus the number of seeds that are at least as good.
        seeds: number of seeds.
    """

    rank: int
    seeds: int

    @property
    def p(self) -> float:
        """Probability of such a rank or a better one, if the trained model were one more seed."""
        return self.rank / (self.seeds + 1)

    def __str__(self) -> str:
        return f"{self.rank} of {self.seeds + 1} (p {self.p:.3f})"


@dataclass(frozen=True)
class Check:
    """A difference that a claim predicts to lie above zero.

    Attributes:
        kind: what it decides, see the module.
        text: what is compared.
        gain: the difference with its interval.
        p: one-sided, not corrected; NaN if there are too few groups or seeds.
        rank: of the trained model among random weights, of the kind `training`.
        corrected: p after Holm's correction over the page; NaN before it.
    """

    kind: Kind
    text: str
    gain: Interval
    p: float
    rank: Rank | None = None
    corrected: float = float("nan")

    @property
    def passes(self) -> bool:
        """Whether the difference is above zero after the correction."""
        return self.corrected < LEVEL


@dataclass(frozen=True)
class Effect:
    """What a claim says about one subject, such as a task.

    Attributes:
        subject: its name.
        checks: the comparisons; none if the model shows nothing to compare.
    """

    subject: str
    checks: tuple[Check, ...]

    @property
    def verdict(self) -> str:
        """One of `HOLDS`, `PARTLY`, `WITHOUT` and `FAILS`."""
        own = [check for check in self.checks if check.kind != "untrained"]
        if own and all(check.passes for check in own):
            return HOLDS
        reached = self._passed("present") and self._passed("untrained")
        if reached and not self._passed("training"):
            return WITHOUT
        return PARTLY if any(check.passes for check in own) else FAILS

    def _passed(self, kind: Kind) -> bool:
        return all(check.passes for check in self.checks if check.kind == kind)


@dataclass(frozen=True)
class Claim:
    """A claim with its checks.

    Attributes:
        statement: the claim.
        rule: describes the comparisons.
        effects: the checks, by subject.
        remarks: further results, which do not affect the verdict.
        testable: whether the data set has the annotations that the claim needs.
    """

    statement: str
    rule: str
    effects: tuple[Effect, ...]
    remarks: tuple[str, ...] = ()
    testable: bool = True

    @property
    def checks(self) -> tuple[Check, ...]:
        """The checks of all subjects."""
        return tuple(check for effect in self.effects for check in effect.checks)

    @property
    def verdict(self) -> str:
        """The verdict of all subjects if it is the same, otherwise what is common to them.

        Subjects of which some are `WITHOUT` and the others `FAILS` are `WITHOUT` together; any
        other mixture is `PARTLY`.
        """
        if not self.testable:
            return NOT_TESTED
        found = {effect.verdict for effect in self.effects}
        if len(found) == 1:
            return found.pop()
        return WITHOUT if found == {WITHOUT, FAILS} else PARTLY


def above(kind: Kind, text: str, gain: Estimate) -> Check:
    """The check that a difference of two scores lies above zero."""
    return Check(kind, text, interval_of(gain), one_sided_p(gain))


def above_random(text: str, trained: Estimate, draws: Sequence[Estimate]) -> Check:
    """The check that the trained model lies above random weights.

    Args:
        text: what is compared.
        trained: score of the trained model.
        draws: scores of random weights, one per seed, chosen by the same rule.
    """
    values = np.array([draw.value for draw in draws])
    gain = trained - family(draws)
    p = np.maximum(one_sided_p(gain), single_case_p(trained.value, values))  # NaN if one is NaN
    return Check("training", text, interval_of(gain), float(p), rank_among(trained.value, values))


def family(draws: Sequence[Estimate]) -> Estimate:
    """The mean over seeds of random weights."""
    return grid({(0, seed, 0): draw for seed, draw in enumerate(draws)})


def one_sided_p(gain: Estimate) -> float:
    """p of a difference that is expected above zero."""
    ends = gain.interval
    p = p_value(gain.value, ends.low, ends.high, ends.df)
    return p / 2 if gain.value > 0 else 1 - p / 2


def single_case_p(value: float, sample: Floats) -> float:
    """p of a value as one more of a normal sample, one-sided; NaN with a sample of one."""
    n = len(sample)
    if n < 2:
        return float("nan")
    apart, spread = value - sample.mean(), sample.std(ddof=1) * sqrt(1 + 1 / n)
    if spread < 1e-12:
        return float(apart <= 1e-12)
    return float(stdtr(n - 1, -apart / spread))


def rank_among(value: float, sample: Floats) -> Rank:
    """The rank of a value among a sample; ties count against it."""
    return Rank(1 + int((sample >= value).sum()), len(sample))


def correct(claims: Sequence[Claim]) -> list[Claim]:
    """The claims with Holm's correction over the checks of all of them."""
    checks = [check for claim in claims for check in claim.checks]
    done = iter(
        replace(check, corrected=float(p))
        for check, p in zip(checks, holm([check.p for check in checks]), strict=True)
    )
    return [
        replace(
            claim,
            effects=tuple(
                replace(effect, checks=tuple(next(done) for _ in effect.checks))
                for effect in claim.effects
            ),
        )
        for claim in claims
    ]
