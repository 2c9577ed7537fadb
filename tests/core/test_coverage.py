"""How often 95 % intervals contain the true value, in simulations whose true value is known.

`docs/statistics.md` shows larger simulations of the same kinds.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import binom, norm

from mirprobe.core.bootstrap import weighted_mean
from mirprobe.core.confidence_intervals import Estimate, grid, jackknife, p_value
from mirprobe.core.schema import Floats
from mirprobe.metrics.tagging import corpus_scores
from mirprobe.reporting.ranks import holm

SIZES = (20, 72, 300)
LOW, HIGH = 0.93, 0.97


def covered(draw: Callable[[], Estimate], truth: float, times: int) -> float:
    """The share of intervals that contain the truth."""
    found = [draw().interval for _ in range(times)]
    return float(np.mean([one.low <= truth <= one.high for one in found]))


def mean_of(values: Floats, groups: object = None) -> Estimate:
    own = np.arange(len(values)) if groups is None else np.asarray(groups)
    return jackknife(weighted_mean(values.tolist()), own)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20250623)


@pytest.mark.parametrize("n", SIZES)
def test_proportions(n: int) -> None:
    """Exact coverage. A proportion of few tracks takes few values, so that it swings about .95."""
    right = np.arange(n + 1)
    intervals = [mean_of((np.arange(n) < k).astype(np.float64)).interval for k in right]
    low, high = np.array([(one.low, one.high) for one in intervals]).T

    def coverage(rate: float) -> float:
        return float(binom.pmf(right, n, rate) @ ((low <= rate) & (rate <= high)))

    rates = np.linspace(0.5, 0.96, 200)
    assert 0.94 <= np.mean([coverage(rate) for rate in rates]) <= 0.96
    assert min(map(coverage, rates)) >= {20: 0.9, 72: 0.92, 300: 0.93}[n]
    assert coverage(0.95) >= {20: 0.92, 72: 0.95, 300: 0.95}[n]


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize(("a", "b"), [(2, 2), (5, 1), (8, 0.6)])
def test_means(rng: np.random.Generator, n: int, a: float, b: float) -> None:
    """Values between 0 and 1, the last ones nearly all at 1."""
    found = covered(lambda: mean_of(rng.beta(a, b, n)), a / (a + b), 600)
    assert LOW <= found <= HIGH


@pytest.mark.parametrize("n", SIZES)
def test_paired_differences_and_false_positives(rng: np.random.Generator, n: int) -> None:
    """Two equal encoders on tracks that are hard for both."""

    def draw() -> Estimate:
        hard = rng.beta(2, 2, n)
        one, other = (np.clip(hard + rng.normal(0, 0.1, n), 0, 1) for _ in "ab")
        return mean_of(one) - mean_of(other)

    assert LOW <= covered(draw, 0, 600) <= HIGH


@pytest.mark.parametrize("n", SIZES)
def test_paired_proportions(rng: np.random.Generator, n: int) -> None:
    def draw() -> Estimate:
        place = rng.random(n)
        one, other = place < 0.6, (place < 0.4) | (place > 0.9)
        return mean_of(one.astype(np.float64)) - mean_of(other.astype(np.float64))

    assert LOW <= covered(draw, 0.1, 600) <= HIGH


@pytest.mark.parametrize("icc", [0.2, 0.5])
@pytest.mark.parametrize(
    ("n", "size"), [(20, 4), (72, 4), (72, 10), (300, 4), (300, 10), (300, 20)]
)
def test_groups(rng: np.random.Generator, n: int, size: int, icc: float) -> None:
    """Tracks of one artist are alike; without groups coverage falls to .4."""
    groups = np.arange(n) // size

    def latent() -> Floats:
        own = rng.normal(size=groups.max() + 1)[groups]
        return np.asarray(np.sqrt(icc) * own + np.sqrt(1 - icc) * rng.normal(size=n))

    # the expectation of norm.cdf(1 + 0.8 z)
    truth = float(norm.cdf(1 / np.sqrt(1 + 0.8**2)))
    found = covered(lambda: mean_of(norm.cdf(1 + 0.8 * latent()), groups), truth, 600)
    assert LOW - 0.01 * (n == 20) <= found <= HIGH  # five groups


def tagged(rng: np.random.Generator, n: int, shift: Floats) -> dict[str, Estimate]:
    """Tags with the ROC-AUC `norm.cdf(shift / sqrt(2))`."""
    rates = np.linspace(0.15, 0.4, len(shift))
    common = rng.normal(size=(n, 1))
    relevant = 0.5 * common + np.sqrt(0.75) * rng.normal(size=(n, len(shift))) < norm.ppf(rates)
    scores = relevant * shift + rng.normal(size=relevant.shape)
    found = corpus_scores(relevant, scores)
    return {name: jackknife(statistic, range(n)) for name, statistic in found.items()}


@pytest.mark.parametrize(("n", "times"), [(20, 400), (72, 300), (300, 100)])
def test_tagging(rng: np.random.Generator, n: int, times: int) -> None:
    """ROC-AUC estimates one number at any n; mAP does not, and its interval is that of its n."""
    shift = np.linspace(0.5, 1.5, 6)
    truth = float(norm.cdf(shift / np.sqrt(2)).mean())
    found = [tagged(rng, n, shift) for _ in range(times)]
    means = {name: float(np.mean([one[name].value for one in found])) for name in found[0]}
    assert means["roc_auc"] == pytest.approx(truth, abs=0.012)
    assert means["map"] == pytest.approx({20: 0.62, 72: 0.57, 300: 0.55}[n], abs=0.015)
    for name, target in (("roc_auc", truth), ("map", means["map"])):
        intervals = [one[name].interval for one in found]
        share = np.mean([one.low <= target <= one.high for one in intervals])
        assert LOW - 0.02 * (times < 200) <= share <= HIGH + 0.02 * (times < 200)


@pytest.mark.parametrize(
    ("shape", "spreads"),
    [
        ((5, 1, 1), (0.03, 0, 0)),
        ((1, 5, 3), (0, 0.03, 0.02)),
        ((3, 3, 2), (0.02, 0.02, 0.01)),
        ((5, 1, 1), (0, 0, 0)),
    ],
)
def test_resamples_draws_and_seeds(
    rng: np.random.Generator, shape: tuple[int, ...], spreads: tuple[float, ...]
) -> None:
    """Each source shifts all tracks; each fitted probe has its own errors."""

    def draw() -> Estimate:
        level = 0.5 + 0.2 * rng.normal(size=(1, 1, 1, 72))
        for axis, spread in enumerate(spreads):
            own = [1, 1, 1, 1]
            own[axis] = shape[axis]
            level = level + spread * rng.normal(size=own)
        values = level + 0.1 * rng.normal(size=(*shape, 72))
        return grid({(r, d, s): mean_of(values[r, d, s]) for r, d, s in np.ndindex(*shape)})

    assert LOW <= covered(draw, 0.5, 400) <= HIGH


def test_a_drawn_control_against_one_encoder(rng: np.random.Generator) -> None:
    """No difference to the family of draws, though each draw differs from its mean."""

    def draw() -> Estimate:
        hard = 0.2 * rng.normal(size=72)
        family = {
            (0, n, 0): mean_of(hard + 0.03 * rng.normal() + 0.1 * rng.normal(size=72))
            for n in range(5)
        }
        return mean_of(hard + 0.1 * rng.normal(size=72)) - grid(family)

    assert LOW <= covered(draw, 0, 500) <= HIGH


def ordered(rng: np.random.Generator, levels: Floats) -> list[tuple[int, int, float, float]]:
    """Pairs of encoders with difference and p after Holm, on 300 tracks."""
    hard = rng.normal(0, 0.2, 300)
    own = [mean_of(level + hard + rng.normal(0, 0.1, 300)) for level in levels]
    pairs = [(i, j) for i in range(len(own)) for j in range(i)]
    gains = [own[i] - own[j] for i, j in pairs]
    p = [p_value(one.value, (i := one.interval).low, i.high, i.df) for one in gains]
    return [(*pair, one.value, q) for pair, one, q in zip(pairs, gains, holm(p), strict=True)]


def test_a_known_order_is_recovered_and_none_is_invented(rng: np.random.Generator) -> None:
    for _ in range(20):
        found = ordered(rng, np.linspace(0.3, 0.5, 5))
        assert all(gain > 0 and p < 0.05 for _, _, gain, p in found)
    invented = [min(p for *_, p in ordered(rng, np.zeros(5))) < 0.05 for _ in range(300)]
    assert np.mean(invented) <= 0.06
