"""95 % intervals of scores and of paired differences.

An `Estimate` holds the jackknife pseudo-values of a statistic, one for each group of test tracks,
for one fitted probe or for a grid of them (resamples of the training tracks x draws of random
weights x seeds). Estimates of the same tracks are subtracted group by group.

Methods, by what an estimate holds:

- `wilson`: a proportion of independent tracks (Wilson, J. Am. Stat. Assoc. 22, 1927).
- `newcombe`: a difference of two proportions of the same independent tracks (Newcombe, Statistics
  in Medicine 17, 1998, method 10).
- `studentised`: any other statistic of one fitted probe, and any with groups. The standard error is
  that of the pseudo-values (Tukey, Ann. Math. Stat. 29, 1958), the quantiles are those of Student's
  t with one degree of freedom less than there are groups, and a cubic transformation corrects
  them for skewness (Hall, J. R. Stat. Soc. B 54, 1992). It has the coverage of the studentised
  bootstrap without its random draws.
- `hierarchical`: the mean over a grid of fitted probes. Analysis of variance of the pseudo-values
  with crossed random effects, as in studies of several readers and cases (Dorfman, Berbaum & Metz,
  Invest. Radiol. 27, 1992), and degrees of freedom after Satterthwaite (Biometrics 2, 1946).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtr, stdtrit

from mirprobe.core.bootstrap import UNLIMITED, Limits, Statistic
from mirprobe.core.schema import Floats

FEW = 30
"""An interval over fewer groups than these carries a warning."""
Z = float(ndtri(0.975))
BLOCKS = 500  # more groups than these are joined at random, which bounds the time of the jackknife
ROWS = 64  # replicates of the jackknife in memory at once
SOURCES = ("resamples", "draws", "draws of the reference", "seeds")
"""What differs between fitted probes: the axes of `Estimate.values`."""
ONE_FIT = (1, 1, 1, 1)

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Interval:
    """A 95 % interval.

    Attributes:
        low: lower end; NaN with fewer than two groups, or if a replicate is undefined.
        high: upper end.
        df: degrees of freedom of the standard error.
        text: method and sources of variation, as in the column `interval` of `scores.csv`.
    """

    low: float
    high: float
    df: float
    text: str


@dataclass(frozen=True, eq=False)
class Estimate:
    """A statistic of the same test tracks for one or more fitted probes, or a difference of two.

    Attributes:
        values: (resamples, draws, draws of the reference, seeds), one for each fitted probe.
        parts: (..., blocks) their pseudo-values; NaN for a block without a scored track.
        groups: number of groups of tracks that have a score.
        trials: (tracks,) 0 or 1 each: of one proportion, or of the two that a difference compares,
            if the tracks are independent and there is one fitted probe; otherwise empty.
        independent: whether each group is one track.
        limits: smallest and largest possible value.
    """

    values: Floats
    parts: Floats
    groups: int
    trials: tuple[Floats, ...] = ()
    independent: bool = True
    limits: Limits = UNLIMITED

    @property
    def value(self) -> float:
        """The mean over the fitted probes."""
        return float(self.values.mean())

    def __sub__(self, other: Estimate) -> Estimate:
        # draws of random weights of two encoders are independent: each has its own axis
        parts = self.parts - other.parts.swapaxes(1, 2)
        return Estimate(
            self.values - other.values.swapaxes(1, 2),
            parts,
            min(self.groups, other.groups),
            self.trials + other.trials if self.trials and other.trials else (),
            self.independent,
            (self.limits[0] - other.limits[1], self.limits[1] - other.limits[0]),
        )

    @property
    def interval(self) -> Interval:
        """The 95 % interval of the value."""
        over = ["test tracks" if self.independent else "test groups"]
        defined = ~np.isnan(self.parts).all(axis=(0, 1, 2, 3))
        parts = self.parts[..., defined]
        df = float(parts.shape[-1] - 1)
        if self.trials:
            method = "wilson" if len(self.trials) == 1 else "newcombe"
            low, high = _wilson(self.trials[0]) if method == "wilson" else _newcombe(*self.trials)
        else:
            method = "studentised"
            low, high = _studentised(self.value, parts.mean(axis=(0, 1, 2, 3)), self.limits)
        if self.values.size > 1 and df > 0:
            method = "hierarchical"
            over += [
                name for name, size in zip(SOURCES, self.values.shape, strict=True) if size > 1
            ]
            low, high, df = _hierarchical(self.values, parts, low, high)
        else:
            over[0] += " of these fitted probes"
        low, high = np.clip((low, high), *self.limits)
        few = f" (fewer than {FEW})" if self.groups < FEW else ""
        return Interval(float(low), float(high), df, f"{method} over {', '.join(over)}{few}")


def jackknife(statistic: Statistic, groups: Sequence[Any] | Ints) -> Estimate:
    """Leave out each group of tracks in turn.

    Args:
        statistic: of `len(groups)` tracks.
        groups: the group of each track, such as its artist. Equal ones are left out together.
    """
    names, codes = np.unique(np.asarray(groups), return_inverse=True)
    scored = statistic.scored
    sizes = np.bincount(codes[scored], minlength=len(names))
    if len(names) > BLOCKS:
        codes = (np.random.default_rng(0).permutation(len(names)) % BLOCKS)[codes]
    kept = np.unique(codes[scored])
    value = np.array(statistic.value())
    parts = np.full(codes.max() + 1, np.nan)
    for start in range(0, len(kept), ROWS):
        some = kept[start : start + ROWS]
        without = statistic.function((codes != some[:, None]).astype(np.float64))
        parts[some] = len(kept) * value - (len(kept) - 1) * without
    alone = bool(sizes.max(initial=0) <= 1)
    hits = None if statistic.values is None or not alone else statistic.values[scored]
    trials = () if hits is None or not np.isin(hits, (0, 1)).all() or not len(hits) else (hits,)
    return Estimate(
        value.reshape(ONE_FIT),
        parts.reshape(*ONE_FIT, -1),
        int((sizes > 0).sum()),
        trials,
        alone,
        statistic.limits,
    )


def grid(fits: Mapping[tuple[int, int, int], Estimate]) -> Estimate:
    """Join the estimates of several fitted probes, of the same test tracks.

    Args:
        fits: (resample, draw, seed) -> the estimate of one fitted probe.

    Raises:
        ValueError: a combination of the resamples, draws and seeds is missing.
    """
    keys = sorted(fits)
    shape = tuple(len({key[axis] for key in keys}) for axis in range(3))
    if prod(shape) != len(keys):
        raise ValueError(
            f"{len(keys)} fitted probes are not a grid of {shape[0]} resamples, {shape[1]} draws "
            f"and {shape[2]} seeds"
        )
    one = fits[keys[0]]
    if len(keys) == 1:
        return one
    where = (shape[0], shape[1], 1, shape[2])
    values = np.array([fits[key].value for key in keys]).reshape(where)
    parts = np.stack([fits[key].parts.ravel() for key in keys]).reshape(*where, -1)
    low, high = zip(*(fit.limits for fit in fits.values()), strict=True)
    return Estimate(values, parts, one.groups, (), one.independent, (min(low), max(high)))


def p_value(difference: float, low: float, high: float, df: float) -> float:
    """Two-sided p of a difference, from its 95 % interval (Altman & Bland, BMJ 343, 2011).

    It is below .05 exactly if the interval excludes zero. NaN if the interval is undefined.

    It is never 0 (Phipson & Smyth, Stat. Appl. Genet. Mol. Biol. 9, 2010, article 39). If all
    groups differ by the same amount, the interval has no width, and p is that of the randomisation
    test that changes the signs of the groups' differences (Fisher, The Design of Experiments, 1935,
    section 21): 2 / 2^groups. Of two to five groups it is above .05.
    """
    if np.isnan([difference, low, high, df]).any():
        return float("nan")
    width = difference - low if difference > 0 else high - difference
    if difference == 0:
        return 1.0
    p = 2 * stdtr(df, -abs(difference) / width * stdtrit(df, 0.975)) if width > 0 else 0.0
    return float(p or max(2.0**-df, np.finfo(np.float64).tiny))  # groups = df + 1


def _wilson(hits: Floats) -> tuple[float, float]:
    n, rate, z2 = len(hits), hits.mean(), Z**2
    middle, reach = rate + z2 / 2 / n, Z * sqrt(rate * (1 - rate) / n + z2 / 4 / n**2)
    return float((middle - reach) / (1 + z2 / n)), float((middle + reach) / (1 + z2 / n))


def _newcombe(one: Floats, other: Floats) -> tuple[float, float]:
    n, first, second = len(one), one.mean(), other.mean()
    (low_1, high_1), (low_2, high_2) = _wilson(one), _wilson(other)
    both, neither = (one * other).sum(), ((1 - one) * (1 - other)).sum()
    odds = both * neither - (one * (1 - other)).sum() * ((1 - one) * other).sum()
    odds = max(odds - n / 2, 0.0) if odds > 0 else odds  # correction for continuity
    spread = n**2 * sqrt(first * (1 - first) * second * (1 - second))
    phi = odds / spread if spread > 0 else 0.0

    def reach(a: float, b: float) -> float:
        return sqrt(max(a**2 - 2 * phi * a * b + b**2, 0.0))

    difference = first - second
    return (
        difference - reach(first - low_1, high_2 - second),
        difference + reach(high_1 - first, second - low_2),
    )


def _studentised(value: float, parts: Floats, limits: Limits) -> tuple[float, float]:
    """Ends from pseudo-values (blocks,); with equal ones at a limit of [0, 1] those of Wilson."""
    n = len(parts)
    if n < 2 or np.isnan(parts).any():
        return float("nan"), float("nan")
    error = parts.std(ddof=1) / sqrt(n)
    if error < 1e-12 * max(1.0, abs(value)):
        same = limits == (0.0, 1.0) and min(value, 1 - value) < 1e-12
        return _wilson(np.full(n, round(value))) if same else (value, value)
    quantile = stdtrit(n - 1, 0.975)
    gamma = np.power(parts - parts.mean(), 3).mean() / parts.std() ** 3 / sqrt(n)  # skewness
    ends = np.array([quantile, -quantile])
    if abs(gamma) > 1e-6:  # inverse of g(t) = t + gamma (t**2 / 3 + 1 / 6) + gamma**2 t**3 / 27
        ends = 3 * (np.cbrt(1 + gamma * (ends - gamma / 6)) - 1) / gamma
    low, high = value - error * ends
    return float(low), float(high)


def _hierarchical(
    values: Floats, parts: Floats, low: float, high: float
) -> tuple[float, float, float]:
    """Ends and degrees of freedom of the mean over fitted probes.

    Args:
        values: (resamples, draws, draws of the reference, seeds).
        parts: (..., blocks) pseudo-values.
        low: end of the interval of the mean of these fitted probes; keeps its asymmetry.
        high: the other end.
    """
    cells = parts - parts.mean(axis=-1, keepdims=True) + values[..., None]
    total, residual, used = cells.mean(), cells - cells.mean(), 0
    variances, freedoms = [], []
    for axis in range(cells.ndim):
        size = cells.shape[axis]
        if size > 1:
            rest = tuple(other for other in range(cells.ndim) if other != axis)
            means = cells.mean(axis=rest, keepdims=True)
            residual = residual - (means - total)
            variances.append(means.var(ddof=1) / size)
            freedoms.append(size - 1)
            used += size - 1
    # each variance of means contains that of the residual once
    surplus_df = cells.size - 1 - used
    surplus = (len(variances) - 1) * np.square(residual).sum() / surplus_df / cells.size
    variance = np.array(variances)
    whole = max(variance.sum() - surplus, variance.max())
    if whole <= 0:
        return low, high, float(freedoms[-1])
    weight = np.square(variance) @ (1 / np.array(freedoms)) + surplus**2 / surplus_df
    df = float(whole**2 / weight)
    value, before, now = values.mean(), stdtrit(freedoms[-1], 0.975), stdtrit(df, 0.975)
    fits = max(whole - variance[-1], 0.0)  # beyond the test tracks
    reach = [now * sqrt(((value - end) / before) ** 2 + fits) for end in (low, high)]
    return float(value - reach[0]), float(value + reach[1]), df
