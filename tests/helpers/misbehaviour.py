"""What encoders do wrong: one function for every kind of encoder that the tests make."""

from __future__ import annotations

import torch
from torch import Tensor

FAULTS = ("nan", "length", "rate", "raises", "changes")


def spoil(fault: str, call: int, frames: Tensor) -> Tensor:
    """The frames (batch, time, ...) of a call, counted from 1, with a fault.

    Args:
        fault: NaN, half of the frames, a frame rate that drifts by a tenth, an error in the third
            call, or weights that change from call to call.
        call: its number.
        frames: as they should be.
    """
    count = frames.shape[1]
    if fault == "nan":
        return torch.cat([frames[:, :-1], frames[:, -1:] * float("nan")], dim=1)
    if fault == "length":
        return frames[:, : count // 2]
    if fault == "rate":
        return frames[:, torch.linspace(0, count - 1, round(1.1 * count)).round().long()]
    if fault == "raises" and call == 3:
        raise RuntimeError("weary\nof music")
    return frames * (1 + call) if fault == "changes" else frames
