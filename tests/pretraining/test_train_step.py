from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

import pytest
import torch
from helpers.small_training import (
    BANK,
    BINS,
    CONFIG,
    CPU,
    TIME,
    TINY,
)
from torch import Tensor

from mirprobe.pretraining.launch import make_fabric
from mirprobe.pretraining.train_step import Trainer


@pytest.mark.filterwarnings("ignore")  # torch's compiler warns of its own parts
@pytest.mark.parametrize("objective", ["ntxent", "cojepa"])
def test_compiled_blocks_train_alike(objective: Any) -> None:
    config = replace(CONFIG, objective=objective)

    def trained(*, compiled: bool) -> tuple[list[float], dict[str, Tensor]]:
        trainer = Trainer(BANK, TINY["vit1d-rope"], config, make_fabric(CPU))
        if compiled:
            trainer.compile()
        losses = [float(trainer.step(step)["loss"]) for step in range(3)]
        return losses, trainer.objective.state_dict()

    plain, fused = trained(compiled=False), trained(compiled=True)
    assert fused[0] == pytest.approx(plain[0], rel=1e-4)
    assert fused[1].keys() == plain[1].keys()  # a state saved by the one can be loaded by the other
    for name, weights in plain[1].items():
        torch.testing.assert_close(fused[1][name], weights, rtol=0, atol=CONFIG.lr / 10)


@dataclass
class Rank:
    """What a trainer asks of Fabric where two processes share a batch."""

    global_rank: int
    world_size: int = 2
    device: str = "cpu"

    def setup(self, *parts: Any) -> tuple[Any, ...]:
        return parts


@pytest.mark.parametrize(
    "options", [{"objective": "cojepa"}, {"hide": 0.3, "variants": 2, "same_group": 0.5}]
)
def test_processes_share_a_batch_without_overlap(options: dict[str, Any]) -> None:
    config = replace(CONFIG, **options)
    trainers = [
        Trainer(BANK, TINY["vit1d"], config, cast(Any, rank))
        for rank in (Rank(0), Rank(1), Rank(0, world_size=1))
    ]
    for step in range(3):
        (first, masks), (second, others), (whole, all_masks) = (t.batch(step) for t in trainers)
        assert first.shape == (2, 2, TIME, BINS)
        assert torch.equal(torch.cat((first, second), dim=1), whole)
        assert masks is not None
        assert others is not None
        assert all_masks is not None
        for one, other, both in zip(masks, others, all_masks, strict=True):
            assert torch.equal(torch.cat((one, other), dim=1), both)


@pytest.mark.parametrize("name", TINY)
def test_matrices_alone_decay_by_the_schedule(name: str) -> None:
    config = replace(CONFIG, clip=1e-20, decay=0.5)  # gradients too small to move a weight
    trainer = Trainer(BANK, TINY[name], config, make_fabric(CPU))
    before = {name: weights.clone() for name, weights in trainer.model.named_parameters()}
    told = trainer.schedule(0)
    trainer.step(0)
    decayed = set()
    for place, weights in trainer.model.named_parameters():
        if torch.allclose(weights, before[place], rtol=0, atol=1e-9):
            continue
        torch.testing.assert_close(weights, before[place] * (1 - told["rate"] * told["decay"]))
        decayed.add(place)
    kept = before.keys() - decayed
    assert {place.rpartition(".")[2] for place in decayed} == {"weight"}
    assert all(before[place].ndim == 2 for place in decayed)
    assert "class_token" in kept
    assert all("norm" in place or place.endswith(("bias", "positions", "token")) for place in kept)


@pytest.mark.parametrize("clip", [0.01, 100.0])
def test_gradients_are_clipped(clip: float) -> None:
    trainer = Trainer(BANK, TINY["vit1d"], replace(CONFIG, clip=clip), make_fabric(CPU))
    seen: list[Tensor] = []

    def look(*_: object) -> None:
        gradients = [p.grad.flatten() for p in trainer.objective.parameters() if p.grad is not None]
        seen.append(torch.cat(gradients).norm())

    trainer.optimiser.register_step_pre_hook(look)
    norm = float(trainer.step(0)["gradient"])
    assert float(seen[0]) == pytest.approx(min(norm, clip), rel=1e-3)
    assert 0.01 < norm < 100
