"""Building blocks of ViT-1D: rotary positions, multi-head attention and two MLP variants."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def rotary_angles(positions: int, size: int, base: float) -> Tensor:
    """Cosines and sines of the rotary position embedding (Su et al. 2021, RoFormer, eq. 15).

    Args:
        positions: number of token positions.
        size: dimensions of one attention head; even.
        base: base of the rotation frequencies.

    Returns:
        (2, positions, size / 2): cosines, then sines, of each pair of dimensions.
    """
    # on the CPU also where a model is only counted: arithmetic on `meta` imports more of torch
    rates = base ** -(torch.arange(size // 2, device="cpu") / (size // 2))
    angles = torch.arange(positions, device="cpu")[:, None] * rates  # (T, size / 2)
    return torch.stack((angles.cos(), angles.sin()))


def apply_rotary(heads: Tensor, rotary: Tensor) -> Tensor:
    """Rotate queries or keys by their position; their products then depend on distances only.

    Args:
        heads: (batch, heads, time, size).
        rotary: (2, time, size / 2), from `rotary_angles`.

    Returns:
        (batch, heads, time, size), of the same dtype as `heads`.
    """
    cosine, sine = rotary
    left, right = heads.chunk(2, dim=-1)
    turned = torch.cat((left * cosine - right * sine, right * cosine + left * sine), dim=-1)
    return turned.to(heads.dtype)  # under autocast queries are bf16, angles float32


class Attention(nn.Module):
    """Multi-head self-attention over all tokens of a window."""

    def __init__(self, *, dim: int, heads: int, bias: bool) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim, bias=bias)
        self.out = nn.Linear(dim, dim, bias=bias)

    def forward(
        self, tokens: Tensor, rotary: Tensor | None, *, need_weights: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Mix the tokens.

        Args:
            tokens: (batch, tokens, dim).
            rotary: (2, tokens, head size / 2) rotary angles; None without rotary positions.
            need_weights: compute the attention matrix explicitly and return it.

        Returns:
            (batch, tokens, dim), and the attention (batch, heads, tokens, tokens) or None.
        """
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (B, H, T, size)
            for part in self.qkv(tokens).chunk(3, dim=-1)
        )
        if rotary is not None:
            query, key = apply_rotary(query, rotary), apply_rotary(key, rotary)
        weights = None
        # on a CPU in bfloat16 the fused backward pass is three times slower than these products
        if need_weights or (query.device.type == "cpu" and query.dtype == torch.bfloat16):
            scores = query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5
            weights = scores.softmax(dim=-1)  # (B, H, T, T)
            mixed = weights.to(value.dtype) @ value
        else:
            mixed = F.scaled_dot_product_attention(query, key, value)
        return self.out(mixed.transpose(1, 2).flatten(2)), weights if need_weights else None


class GeluMLP(nn.Module):
    """Two linear layers with a GELU between them."""

    def __init__(self, *, dim: int, hidden: int, bias: bool) -> None:
        super().__init__()
        self.up = nn.Linear(dim, hidden, bias=bias)
        self.down = nn.Linear(hidden, dim, bias=bias)

    def forward(self, tokens: Tensor) -> Tensor:
        """Transform each token separately, (B, T, D) to (B, T, D)."""
        out: Tensor = self.down(F.gelu(self.up(tokens)))
        return out


class SwiGLU(nn.Module):
    """A gated MLP: the SiLU of one projection scales the other (Shazeer 2020, eq. 6)."""

    def __init__(self, *, dim: int, hidden: int, bias: bool) -> None:
        super().__init__()
        self.up = nn.Linear(dim, 2 * hidden, bias=bias)
        self.down = nn.Linear(hidden, dim, bias=bias)

    def forward(self, tokens: Tensor) -> Tensor:
        """Transform each token separately, (B, T, D) to (B, T, D)."""
        gate, value = self.up(tokens).chunk(2, dim=-1)
        out: Tensor = self.down(F.silu(gate) * value)
        return out
