"""What attention says of time: curves with one number a frame, from every layer and head.

Kong et al. (ISMIR 2025) show that note onsets stand out in the attention maps of single layers, and
leave open how a curve is read off a map. `READINGS` are five ways, each a function of one window's
maps alone. A map is (..., 1 + T, 1 + T): rows are queries and sum to 1, columns are keys, and token
0 is the class token, which is no moment in time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from mirprobe.vit1d.model import ViT1D

Reading = Callable[[Tensor], Tensor]
"""(..., 1 + T, 1 + T) attention to (..., T), one value a frame."""


def received(attention: Tensor) -> Tensor:
    """How much the other frames look at a frame: the mean of its column over the frames' rows.

    Times T, so that uniform attention reads (nearly) 1 whatever the length of the window.
    """
    return attention[..., 1:, 1:].mean(dim=-2) * (attention.shape[-1] - 1)


def summary(attention: Tensor) -> Tensor:
    """How much the class token looks at a frame: its row, times T."""
    return attention[..., 0, 1:] * (attention.shape[-1] - 1)


def row_change(attention: Tensor) -> Tensor:
    """How far a frame's row departs from that of the frame before: their total variation, 0 to 1.

    Frames of one note look at the same places; at an onset the place changes. The first frame has
    none before it and reads as the second does.
    """
    rows = attention[..., 1:, :]
    moved = (rows[..., 1:, :] - rows[..., :-1, :]).abs().sum(dim=-1) / 2
    if not moved.shape[-1]:
        return torch.zeros_like(rows[..., 0])
    return torch.cat((moved[..., :1], moved), dim=-1)


def rise(curve: Tensor) -> Tensor:
    """By how much a curve (..., T) exceeds the frame before; falls, and the first frame, are 0."""
    return F.pad(curve.diff(dim=-1).clamp(min=0), (1, 0))


READINGS: Mapping[str, Reading] = {
    "received": received,
    "received-rise": lambda attention: rise(received(attention)),
    "summary": summary,
    "summary-rise": lambda attention: rise(summary(attention)),
    "turn": row_change,
}


def curves(attention: Tensor) -> Tensor:
    """All readings of each head's map and of the heads' mean map.

    Args:
        attention: (batch, heads, 1 + T, 1 + T).

    Returns:
        (batch, T, heads + 1, readings), the mean map last among the heads, readings as in
        `READINGS`.
    """
    maps = torch.cat((attention, attention.mean(dim=1, keepdim=True)), dim=1)
    found = torch.stack([read(maps) for read in READINGS.values()], dim=-1)  # (B, H + 1, T, R)
    return found.transpose(1, 2)


def tokens_and_curves(model: ViT1D, frames: Tensor) -> tuple[Tensor, Tensor]:
    """Run a batch of windows; each layer's maps are reduced to curves before the next layer's.

    Args:
        model: in evaluation mode.
        frames: (batch, T, bins) of `LogMel`.

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
