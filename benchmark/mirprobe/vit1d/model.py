"""ViT-1D: a small transformer over log-mel frames, with one token per frame and a class token.

Architecture: Kong et al., "Emergent musical properties of a transformer under contrastive
self-supervised learning", ISMIR 2025 (`vit1d`), and its update in Meseguer-Brocal et al., CoJEPA
(`vit1d-rope`). The papers do not specify the following, which are choices of this implementation:
pre-norm blocks, no dropout, no projection head, no biases in the blocks of `vit1d-rope`, and
initial weights from a normal distribution with standard deviation 0.02, except 1 / sqrt(bins) for
the projection of the frames. Tokens then start at the scale of a normalised frame. With 0.02 for
the projection as well, the trained tokens lost the chord of their frame and the loss fell more
slowly.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, NamedTuple, get_args

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from mirprobe.core.errors import ConfigError
from mirprobe.vit1d.blocks import Attention, GeluMLP, SwiGLU, rotary_angles
from mirprobe.vit1d.frontend import LogMelConfig

Positions = Literal["learned", "rope"]
Norm = Literal["layer", "rms"]
MLP = Literal["gelu", "swiglu"]

_EPS = 1e-6


@dataclass(frozen=True)
class ViT1DConfig:
    """Architecture and front end; stored in the checkpoint, which rebuilds the model from it.

    Attributes:
        frontend: configuration of the log-mel front end; `bins` is the size of an input frame.
        frames: maximum frames in a window; 126 frames are 4 s, counting both ends.
        dim: size of a token.
        depth: number of blocks.
        heads: attention heads per block.
        mlp_ratio: hidden size of the MLP divided by `dim`.
        positions: learned absolute positions, or rotary positions (Su et al. 2021).
        norm: LayerNorm or RMSNorm.
        mlp: GELU, or SwiGLU (Shazeer 2020) with the same hidden size `dim * mlp_ratio`.
        bias: whether the linear layers inside the blocks have biases.
        rope_base: base of the rotary frequencies.
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
            value, choices = getattr(self, name), get_args(allowed)
            if value not in choices:
                raise ConfigError(f"ViT-1D {name}={value!r}: choose from {choices}")
        if self.dim % (2 * self.heads):
            wanted = f"a multiple of twice its heads={self.heads}"
            raise ConfigError(f"ViT-1D dim={self.dim} must be {wanted}")

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers, `"1"` to `str(depth)`: layer k is the output of block k."""
        return tuple(str(k + 1) for k in range(self.depth))

    @property
    def window(self) -> float:
        """Duration in seconds of a window of `frames` frames."""
        return (self.frames - 1) / self.frontend.frame_rate

    def as_dict(self) -> dict[str, Any]:
        """The configuration as JSON-compatible values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ViT1DConfig:
        """Rebuild a configuration from the values of `as_dict`.

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


def token_positions(frames: Tensor) -> Tensor:
    """Token positions of the class token (0) and of frames: (..., V) to (..., 1 + V)."""
    return F.pad(frames + 1, (1, 0))


class Layer(NamedTuple):
    """Output of one block.

    Attributes:
        tokens: (batch, 1 + time, dim), the class token first.
        attention: (batch, heads, 1 + time, 1 + time), each row (a query) sums to 1; None
            unless requested.
    """

    tokens: Tensor
    attention: Tensor | None


def _norm(config: ViT1DConfig) -> nn.Module:
    norm: type[nn.Module] = nn.LayerNorm if config.norm == "layer" else nn.RMSNorm
    return norm(config.dim, eps=_EPS)


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

    def forward(self, tokens: Tensor, rotary: Tensor | None, *, need_weights: bool) -> Layer:
        """Apply attention, then the MLP, each with a residual connection."""
        normed = self.attention_norm(tokens)
        mixed, attention = self.attention(normed, rotary, need_weights=need_weights)
        tokens = tokens + mixed
        tokens = tokens + self.mlp(self.mlp_norm(tokens))
        return Layer(tokens, attention)


class ViT1D(nn.Module):
    """The transformer: maps normalised log-mel frames to the tokens of every layer.

    Layer k is the output of block k (the residual stream). The final norm is applied to the tokens
    of the last layer. The contrastive loss uses token 0 of the last layer without a projection
    head.

    Args:
        config: the architecture; `CONFIGS` holds those of the papers.
        generator: random generator of the initial weights; None for torch's global generator.
    """

    rotary: Tensor | None

    def __init__(self, config: ViT1DConfig, *, generator: Generator | None = None) -> None:
        super().__init__()
        self.config = config
        learned = config.positions == "learned"
        self.project = nn.Linear(config.frontend.bins, config.dim)
        self.class_token = nn.Parameter(torch.zeros(config.dim))
        positions = torch.zeros(1 + config.frames, config.dim)
        self.positions = nn.Parameter(positions) if learned else None
        rotary = rotary_angles(1 + config.frames, config.dim // config.heads, config.rope_base)
        self.register_buffer("rotary", None if learned else rotary, persistent=False)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
        self.norm = _norm(config)
        self._initialise(generator)

    def _initialise(self, generator: Generator | None) -> None:
        """Draw matrices and the class token as described in the module, set biases to 0."""
        if self.class_token.is_meta:  # only counted: to draw on `meta` would import torch._dynamo
            return
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif name == "project.weight":
                nn.init.normal_(parameter, std=parameter.shape[1] ** -0.5, generator=generator)
            elif parameter.ndim == 2 or name == "class_token":
                nn.init.normal_(parameter, std=0.02, generator=generator)

    def embed(self, frames: Tensor, visible: Tensor | None = None) -> Tensor:
        """Project frames to tokens, prepend the class token and add positions.

        Args:
            frames: (batch, time, bins), with time at most `config.frames`.
            visible: (batch, V) indices of the frames to keep, each at its own position; None keeps
                all frames.

        Returns:
            (batch, 1 + time, dim), or (batch, 1 + V, dim). Token 0 is the class token: a learned
            vector plus the mean of the projected frames that are kept.

        Raises:
            ValueError: `frames` has another shape.
        """
        limit, bins = self.config.frames, self.config.frontend.bins
        if frames.ndim != 3 or not 1 <= frames.shape[1] <= limit or frames.shape[2] != bins:
            raise ValueError(
                f"frames of shape {tuple(frames.shape)}: expected (batch, 1..{limit}, {bins})"
            )
        if visible is not None:
            frames = frames.gather(1, visible[..., None].expand(-1, -1, bins))  # (B, V, F)
        projected = self.project(frames)  # (B, T, D)
        summary = self.class_token + projected.mean(dim=1, keepdim=True)  # (B, 1, D)
        tokens = torch.cat((summary, projected), dim=1)
        if self.positions is None:
            return tokens
        if visible is None:
            return tokens + self.positions[: tokens.shape[1]]
        return tokens + F.embedding(token_positions(visible), self.positions)

    def stream(self, frames: Tensor, *, attention: bool = False) -> Iterator[Layer]:
        """Yield the layers one by one, so that the caller does not have to hold all of them.

        Args:
            frames: (batch, time, bins), from `LogMel`.
            attention: also return the attention of each head. The matrices are then computed
                explicitly, which costs time and memory and changes the tokens only by rounding.
        """
        tokens = self.embed(frames)
        rotary = None if self.rotary is None else self.rotary[:, : tokens.shape[1]]
        for depth, block in enumerate(self.blocks, start=1):
            tokens, weights = block(tokens, rotary, need_weights=attention)
            yield Layer(self.norm(tokens) if depth == len(self.blocks) else tokens, weights)

    def forward(self, frames: Tensor, *, attention: bool = False) -> list[Layer]:
        """All layers of `stream`, from first to last."""
        return list(self.stream(frames, attention=attention))
