"""What the blocks of ViT-1D are made of: rotary positions, attention and two kinds of MLP."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def rotation(*, positions: int, size: int, base: float) -> Tensor:
    """Rotary embedding: the angles by which a head's `size / 2` pairs turn at each position.

    Returns:
        (2, positions, size / 2): cosines, then sines.
    """
    rates = base ** -(torch.arange(size // 2) / (size // 2))
    angles = torch.arange(positions)[:, None] * rates  # (T, size / 2)
    return torch.stack((angles.cos(), angles.sin()))


def rotate(heads: Tensor, turns: Tensor) -> Tensor:
    """Turn queries or keys by their position, so that their products see only distances.

    Args:
        heads: (batch, heads, time, size).
        turns: (2, time, size / 2) of `rotation`.
    """
    cosine, sine = turns
    left, right = heads.chunk(2, dim=-1)
    turned = torch.cat((left * cosine - right * sine, right * cosine + left * sine), dim=-1)
    return turned.to(heads.dtype)  # autocast: half queries, float turns


class Attention(nn.Module):
    """Multi-head self-attention over all tokens of a window."""

    def __init__(self, *, dim: int, heads: int, bias: bool) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim, bias=bias)
        self.out = nn.Linear(dim, dim, bias=bias)

    def forward(
        self, tokens: Tensor, turns: Tensor | None, *, explicit: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Attend; `explicit` forms the attention matrix and returns it as well."""
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (B, H, T, size)
            for part in self.qkv(tokens).chunk(3, dim=-1)
        )
        if turns is not None:
            query, key = rotate(query, turns), rotate(key, turns)
        weights = None
        # in bfloat16 on a CPU the fused backward takes three times as long as these products
        if explicit or (query.device.type == "cpu" and query.dtype == torch.bfloat16):
            scores = query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5
            weights = scores.softmax(dim=-1)  # (B, H, T, T)
            mixed = weights.to(value.dtype) @ value
        else:
            mixed = F.scaled_dot_product_attention(query, key, value)
        return self.out(mixed.transpose(1, 2).flatten(2)), weights if explicit else None


class GeluMLP(nn.Module):
    """Two linear layers with a GELU between them."""

    def __init__(self, *, dim: int, hidden: int, bias: bool) -> None:
        super().__init__()
        self.up = nn.Linear(dim, hidden, bias=bias)
        self.down = nn.Linear(hidden, dim, bias=bias)

    def forward(self, tokens: Tensor) -> Tensor:
        """Transform each token by itself, (B, T, D) to (B, T, D)."""
        out: Tensor = self.down(F.gelu(self.up(tokens)))
        return out


class SwiGLU(nn.Module):
    """A gated MLP: SiLU of one projection scales the other (Shazeer 2020)."""

    def __init__(self, *, dim: int, hidden: int, bias: bool) -> None:
        super().__init__()
        self.up = nn.Linear(dim, 2 * hidden, bias=bias)
        self.down = nn.Linear(hidden, dim, bias=bias)

    def forward(self, tokens: Tensor) -> Tensor:
        """Transform each token by itself, (B, T, D) to (B, T, D)."""
        gate, value = self.up(tokens).chunk(2, dim=-1)
        out: Tensor = self.down(F.silu(gate) * value)
        return out
