"""Curves over time, with one value per frame, computed from attention maps.

Kong et al. (ISMIR 2025) show that note onsets are visible in the attention maps of single layers,
but do not specify how to derive a curve from a map. `READINGS` holds five ways; each uses the maps
of one window. A map is (..., 1 + T, 1 + T). Its rows are queries and sum to 1, its columns are
keys. Token 0 is the class token, which has no position in time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from mirprobe.vit1d.model import ViT1D

Reading = Callable[[Tensor], Tensor]
"""A function of attention maps (..., 1 + T, 1 + T) that returns curves (..., T)."""


def received(attention: Tensor) -> Tensor:
    """Attention that each frame receives: the mean of its column over the rows of the frames.

    The mean is multiplied by T, so that uniform attention gives about 1 for any window length.
    """
    return attention[..., 1:, 1:].mean(dim=-2) * (attention.shape[-1] - 1)


def summary(attention: Tensor) -> Tensor:
    """Attention of the class token to each frame: the row of the class token, multiplied by T."""
    return attention[..., 0, 1:] * (attention.shape[-1] - 1)


def row_change(attention: Tensor) -> Tensor:
    """Total variation distance, 0 to 1, between the row of each frame and the previous row.

    Frames within a note attend to similar positions; the positions change at an onset. The first
    frame gets the value of the second frame.
    """
    rows = attention[..., 1:, :]
    moved = (rows[..., 1:, :] - rows[..., :-1, :]).abs().sum(dim=-1) / 2
    if not moved.shape[-1]:
        return torch.zeros_like(rows[..., 0])
    return torch.cat((moved[..., :1], moved), dim=-1)


def rise(curve: Tensor) -> Tensor:
    """Positive difference of a curve (..., T) from the previous frame; 0 for the first frame."""
    return F.pad(curve.diff(dim=-1).clamp(min=0), (1, 0))


READINGS: Mapping[str, Reading] = {
    "received": received,
    "received-rise": lambda attention: rise(received(attention)),
    "summary": summary,
    "summary-rise": lambda attention: rise(summary(attention)),
    "turn": row_change,
}


def curves(attention: Tensor) -> Tensor:
    """All readings of the map of each head and of the mean map of the heads.

    Args:
        attention: (batch, heads, 1 + T, 1 + T).

    Returns:
        (batch, T, heads + 1, readings). The mean map is last among the heads; readings are in the
        order of `READINGS`.
    """
    maps = torch.cat((attention, attention.mean(dim=1, keepdim=True)), dim=1)
    found = torch.stack([read(maps) for read in READINGS.values()], dim=-1)  # (B, H + 1, T, R)
    return found.transpose(1, 2)


def tokens_and_curves(model: ViT1D, frames: Tensor) -> tuple[Tensor, Tensor]:
    """Run the model on a batch of windows; only one layer's attention maps are held at a time.

    Args:
        model: in evaluation mode.
        frames: (batch, T, bins), from `LogMel`.

    Returns:
        Tokens (batch, 1 + T, layers, dim), the class token first, and curves (batch, T, layers,
        heads + 1, readings).
    """
    tokens, found = [], []
    with torch.inference_mode():
        for layer in model.stream(frames, attention=True):
            assert layer.attention is not None
            tokens.append(layer.tokens)
            found.append(curves(layer.attention))
    return torch.stack(tokens, dim=2), torch.stack(found, dim=2)
