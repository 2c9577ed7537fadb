"""ViT-1D: a small transformer over log-mel frames, one token a frame, and a class token.

Architecture: Kong et al., "Emergent musical properties of a transformer under contrastive
self-supervised learning", ISMIR 2025 (`vit1d`), and its update in Meseguer-Brocal et al., CoJEPA
(`vit1d-rope`). Choices that the papers leave open: pre-norm blocks, no dropout, no projection head,
no biases in the blocks of the updated form, and weights drawn from a normal distribution of
deviation 0.02, but 1 / sqrt(bins) where frames are projected. A token then begins as large as a
normalised frame, and what training adds in the blocks does not drown it: with 0.02 there too, the
tokens of a training lost the chord that is heard in their frame, and the loss fell more slowly.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, NamedTuple, get_args

import torch
from torch import Generator, Tensor, nn

from mirprobe.core.errors import ConfigError
from mirprobe.vit1d.blocks import Attention, GeluMLP, SwiGLU, rotation
from mirprobe.vit1d.frontend import LogMelConfig

Positions = Literal["learned", "rope"]
Norm = Literal["layer", "rms"]
MLP = Literal["gelu", "swiglu"]

_EPS = 1e-6


@dataclass(frozen=True)
class ViT1DConfig:
    """All that rebuilds a model, front end included; a checkpoint carries it.

    Attributes:
        frontend: what the frames are; its `bins` is the size of an input frame.
        frames: the most frames in a window; 126 is 4 s, both ends counted.
        dim: size of a token.
        depth: number of blocks.
        heads: attention heads a block.
        mlp_ratio: hidden size of a block's MLP over `dim`.
        positions: learned absolute positions, or rotary ones (Su et al. 2021).
        norm: LayerNorm or RMSNorm.
        mlp: GELU, or SwiGLU (Shazeer 2020), whose hidden size is also `dim * mlp_ratio`.
        bias: whether the linear layers inside the blocks have biases.
        rope_base: base of the rotary wavelengths.
    """

    frontend: LogMelConfig = field(default_factory=LogMelConfig)
    frames: int = 126
    dim: int = 192
    depth: int = 12
    heads: int = 3
    mlp_ratio: float = 4.0
    positions: Positions = "learned"
    norm: Norm = "layer"
    mlp: MLP = "gelu"
    bias: bool = True
    rope_base: float = 10_000.0

    def __post_init__(self) -> None:
        for name, allowed in (("positions", Positions), ("norm", Norm), ("mlp", MLP)):
            if getattr(self, name) not in get_args(allowed):
                raise ConfigError(
                    f"ViT-1D {name}={getattr(self, name)!r}: choose from {get_args(allowed)}"
                )
        if self.dim % (2 * self.heads):
            raise ConfigError(
                f"ViT-1D dim={self.dim} must be a multiple of twice its heads={self.heads}"
            )

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers, `"1"` to `str(depth)`: layer k is the output of block k."""
        return tuple(str(k + 1) for k in range(self.depth))

    @property
    def window(self) -> float:
        """Seconds of audio that fill all frames."""
        return (self.frames - 1) / self.frontend.frame_rate

    def as_dict(self) -> dict[str, Any]:
        """The configuration as plain values that JSON can hold."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ViT1DConfig:
        """Undo `as_dict`.

        Raises:
            ConfigError: a field is unknown or its value is not allowed.
        """
        try:
            return cls(**{**values, "frontend": LogMelConfig(**values["frontend"])})
        except (KeyError, TypeError) as error:
            raise ConfigError(f"not a ViT-1D configuration: {error}") from error


CONFIGS: Mapping[str, ViT1DConfig] = {
    "vit1d": ViT1DConfig(),
    "vit1d-rope": ViT1DConfig(positions="rope", norm="rms", mlp="swiglu", bias=False),
}


class Layer(NamedTuple):
    """What one block gives.

    Attributes:
        tokens: (batch, 1 + time, dim), the class token first.
        attention: (batch, heads, 1 + time, 1 + time), each row (a query) sums to 1; None where it
            was not asked for.
    """

    tokens: Tensor
    attention: Tensor | None


def _norm(config: ViT1DConfig) -> nn.Module:
    if config.norm == "layer":
        return nn.LayerNorm(config.dim, eps=_EPS)
    return nn.RMSNorm(config.dim, eps=_EPS)


class Block(nn.Module):
    """A pre-norm transformer block."""

    def __init__(self, config: ViT1DConfig) -> None:
        super().__init__()
        hidden = int(config.dim * config.mlp_ratio)
        mlp = {"gelu": GeluMLP, "swiglu": SwiGLU}[config.mlp]
        self.attention_norm = _norm(config)
        self.attention = Attention(dim=config.dim, heads=config.heads, bias=config.bias)
        self.mlp_norm = _norm(config)
        self.mlp = mlp(dim=config.dim, hidden=hidden, bias=config.bias)

    def forward(self, tokens: Tensor, turns: Tensor | None, *, explicit: bool) -> Layer:
        """Mix the tokens of each window, then transform each of them."""
        mixed, attention = self.attention(self.attention_norm(tokens), turns, explicit=explicit)
        tokens = tokens + mixed
        tokens = tokens + self.mlp(self.mlp_norm(tokens))
        return Layer(tokens, attention)


class ViT1D(nn.Module):
    """The transformer: normalised log-mel frames in, the tokens of every layer out.

    Layer k holds the output of block k as the residual stream carries it; the last layer's tokens
    have also passed the final norm. That norm and nothing else stands between the last block and
    the contrastive loss, which sees token 0 of the last layer.

    Args:
        config: the architecture; `CONFIGS` names those of the papers.
        generator: draws the initial weights; None for torch's global one.
    """

    turns: Tensor | None

    def __init__(self, config: ViT1DConfig, *, generator: Generator | None = None) -> None:
        super().__init__()
        self.config = config
        learned = config.positions == "learned"
        self.project = nn.Linear(config.frontend.bins, config.dim)
        self.class_token = nn.Parameter(torch.zeros(config.dim))
        self.positions = (
            nn.Parameter(torch.zeros(1 + config.frames, config.dim)) if learned else None
        )
        turns = rotation(
            positions=1 + config.frames, size=config.dim // config.heads, base=config.rope_base
        )
        self.register_buffer("turns", None if learned else turns, persistent=False)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
        self.norm = _norm(config)
        self._initialise(generator)

    def _initialise(self, generator: Generator | None) -> None:
        """Matrices and the class token as the module says, biases 0; norms start as identities."""
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif name == "project.weight":
                nn.init.normal_(parameter, std=parameter.shape[1] ** -0.5, generator=generator)
            elif parameter.ndim == 2 or name == "class_token":
                nn.init.normal_(parameter, std=0.02, generator=generator)

    def embed(self, frames: Tensor) -> Tensor:
        """Project frames to tokens, put the class token before them and add positions.

        Args:
            frames: (batch, time, bins), time at most `config.frames`.

        Returns:
            (batch, 1 + time, dim). Token 0 is the class token: a learned vector plus the mean of
            the projected frames.

        Raises:
            ValueError: frames of another shape.
        """
        limit, bins = self.config.frames, self.config.frontend.bins
        if frames.ndim != 3 or not 1 <= frames.shape[1] <= limit or frames.shape[2] != bins:
            raise ValueError(
                f"frames of shape {tuple(frames.shape)}: expected (batch, 1..{limit}, {bins})"
            )
        projected = self.project(frames)  # (B, T, D)
        summary = self.class_token + projected.mean(dim=1, keepdim=True)  # (B, 1, D)
        tokens = torch.cat((summary, projected), dim=1)
        return tokens if self.positions is None else tokens + self.positions[: tokens.shape[1]]

    def stream(self, frames: Tensor, *, attention: bool = False) -> Iterator[Layer]:
        """Yield the layers one by one, so that a caller need not hold them all.

        Args:
            frames: (batch, time, bins) of `LogMel`.
            attention: also give each layer's attention per head; the matrices are then formed
                explicitly, which costs time and memory and changes the tokens by rounding alone.
        """
        tokens = self.embed(frames)
        turns = None if self.turns is None else self.turns[:, : tokens.shape[1]]
        for depth, block in enumerate(self.blocks, start=1):
            tokens, weights = block(tokens, turns, explicit=attention)
            yield Layer(self.norm(tokens) if depth == len(self.blocks) else tokens, weights)

    def forward(self, frames: Tensor, *, attention: bool = False) -> list[Layer]:
        """All layers of `stream`, first to last."""
        return list(self.stream(frames, attention=attention))
