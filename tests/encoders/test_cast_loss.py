"""What float16 loses of an encoder's dimensions."""

from __future__ import annotations

import pytest
import torch
from helpers.small_encoders import Bands

from mirprobe.encoders.cast_loss import LOST, CastLoss


def loss_of(small: int, scale: float) -> CastLoss:
    """That of noise with `small` of 100 dimensions of that scale."""
    values = torch.randn(200, 1, 100, generator=torch.Generator().manual_seed(0))
    values[..., :small] *= scale
    loss = CastLoss(Bands())
    loss.see("frame", values)
    return loss


def test_nothing_is_lost_of_numbers_near_one() -> None:
    loss = loss_of(10, 1e-3)
    assert loss.share < 1e-5
    assert loss.faint == 0


@pytest.mark.parametrize(("small", "refused"), [(10, False), (40, True)])
def test_small_dimensions_are_refused_or_counted(small: int, refused: bool) -> None:
    loss = loss_of(small, 1e-9)
    assert (loss.share > LOST) == refused
    assert loss.faint == (0 if refused else small)
