"""Encoders of known symmetry."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.small_encoders import Bands
from helpers.tones import Tones
from helpers.workbench import Workbench
from sklearn.linear_model import Ridge
from torch import Tensor

from mirprobe.core.errors import ConfigError
from mirprobe.core.schema import Tokens
from mirprobe.evaluation.symmetry import symmetry
from mirprobe.probing.symmetry import Pair, equivariance, invariance, linear_map

GROUPS = [str(number // 2) for number in range(40)]


def pairs(change: str, dim: int = 6) -> tuple[Pair, Pair, Pair]:
    """Embeddings of three splits before and after an effect."""
    rng = np.random.default_rng(0)
    made = []
    for count in (120, 40, 40):
        x = rng.normal(size=(count, dim))
        y = {"none": x, "turn": np.roll(x, 2, axis=1), "lost": rng.normal(size=x.shape)}[change]
        made.append((x, y))
    return made[0], made[1], made[2]


@pytest.mark.parametrize("change", ["none", "turn", "lost"])
def test_encoders_that_are_exactly_invariant_or_equivariant(change: str) -> None:
    train, valid, test = pairs(change)
    found = {**invariance(test, GROUPS), **equivariance(train, valid, test)}
    values = {name: statistic.value() for name, statistic in found.items()}
    near = 1 if change == "none" else 0
    assert values["invariance"] == pytest.approx(near, abs=1e-9 if near else 0.3)
    assert values["cosine"] == pytest.approx(near, abs=1e-9 if near else 0.3)
    if change == "lost":
        assert values["r2"] < 0.1
    else:
        assert values["r2"] == pytest.approx(1, abs=1e-6)
    assert values["r2_random"] < 0.1
    assert (values["r2_unmapped"] == 1) == (change == "none")


def test_cosines_are_those_of_a_naive_loop() -> None:
    _, _, (x, y) = pairs("turn")
    found = invariance((x, y), GROUPS)

    def cosine(one: np.ndarray, other: np.ndarray) -> float:
        return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))

    same = np.mean([cosine(one, other) for one, other in zip(x, y, strict=True)])
    others = np.mean([cosine(x[i], y[j]) for i in range(40) for j in range(40)
                      if GROUPS[i] != GROUPS[j]])  # fmt: skip
    assert found["cosine"].value() == pytest.approx(same)
    assert found["other"].value() == pytest.approx(others)
    assert found["invariance"].value() == pytest.approx((same - others) / (1 - others))


def test_the_map_is_ridge_regression() -> None:
    rng = np.random.default_rng(1)
    x, mix = rng.normal(size=(30, 50)), rng.normal(size=(50, 4))
    train = x, x @ mix + rng.normal(size=(30, 4))
    largest = np.linalg.svd(x - x.mean(0))[1][0] ** 2
    wanted = Ridge(alpha=0.1 * largest).fit(*train)
    other = rng.normal(size=(200, 50))
    found = linear_map(train, (other, wanted.predict(other)))  # validation chooses this penalty
    np.testing.assert_allclose(found(other), wanted.predict(other), atol=1e-8)


class Level(Bands):
    """`bands` without the mean of each window, which a gain changes, and as it is."""

    def __call__(self, audio: Tensor) -> Tokens:
        sequence = super().__call__(audio).sequence
        assert sequence is not None
        bands = sequence[:, :, 1]
        own = bands - bands.mean(dim=-1, keepdim=True)
        return Tokens(sequence=torch.stack([own.mean(1, keepdim=True).expand_as(own), bands], 2))


def test_a_run_over_two_perturbations(tmp_path: Path) -> None:
    bench = Workbench(tmp_path, Tones(tmp_path / "audio"))
    config = bench.config("Level", perturb=["gain=0", "gain=-12", "noise=-20"], dtype="float32")
    found = symmetry(config, encoders={"Level": Level()}, dataset=bench.dataset)
    assert (found.failures, found.problems) == ({}, {})
    table = found.rows.set_index(["perturbation", "layer", "measure"])["value"]
    assert len(table) == 3 * 2 * 6
    assert table["gain=0"].xs("invariance", level="measure").min() > 0.98
    assert table["gain=-12", "noise", "invariance"] > table["gain=-12", "bands", "invariance"]
    assert table["noise=-20", "bands", "invariance"] < 0.9
    with pytest.raises(ConfigError, match="nothing to compare with; give --perturb"):
        symmetry(bench.config("Level"), encoders={"Level": Level()}, dataset=bench.dataset)
