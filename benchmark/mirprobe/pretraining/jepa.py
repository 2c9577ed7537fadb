"""The JEPA loss of CoJEPA: predict the tokens of masked frames from those of visible frames.

Source: Meseguer-Brocal et al., CoJEPA. One contiguous block of 50-75 % of the frames is masked in
the student pass. A predictor of 6 blocks predicts the tokens of the full pass at the masked
positions. The full pass uses the same network with a stopped gradient, without a moving average.
The paper does not specify the following, which are choices of this implementation: the block length
is drawn uniformly, once per batch; the class token is passed through the predictor as context; "L2"
is the mean over dimensions of the squared difference.
"""

from __future__ import annotations

from dataclasses import replace
from math import ceil, floor
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from mirprobe.vit1d.model import Block, ViT1D, ViT1DConfig, token_positions


class Masks(NamedTuple):
    """Visible and masked frames of each segment in the student pass.

    Attributes:
        visible: (..., time - length) indices of the visible frames.
        hidden: (..., length) indices of the masked frames, one contiguous block.
    """

    visible: Tensor
    hidden: Tensor


def draw_masks(
    shape: tuple[int, ...],
    *,
    time: int,
    share: tuple[float, float],
    generator: Generator,
    device: torch.device | str = "cpu",
) -> Masks:
    """Draw one masked block per segment; all blocks have the same length.

    Args:
        shape: shape of the batch of segments, such as (2, batch).
        time: frames per segment.
        share: minimum and maximum share of the frames to mask. If no whole number of frames lies
            between them, the minimum is rounded up.
        generator: random generator on the CPU.
        device: device of the masks; only the starts of the blocks are copied there.
    """
    least = ceil(share[0] * time)
    most = max(least, floor(share[1] * time))
    length = int(torch.randint(least, most + 1, (), generator=generator))
    start = torch.randint(0, time - length + 1, (*shape, 1), generator=generator)
    start = start.to(device, non_blocking=True)
    ahead = torch.arange(time - length, device=device).expand(*shape, -1)
    return Masks(
        visible=ahead + length * (ahead >= start),
        hidden=start + torch.arange(length, device=device),
    )  # frames after the block are shifted by its length


def encode_visible(model: ViT1D, frames: Tensor, visible: Tensor) -> Tensor:
    """The student pass: encode only the visible frames, each at its own position.

    Args:
        model: the encoder.
        frames: (n, time, bins).
        visible: (n, V) indices of the visible frames; the others are not read.

    Returns:
        (n, 1 + V, dim), the tokens of the last layer, the class token first.
    """
    rotary = _rotary_at(model.rotary, token_positions(visible))
    out: Tensor = model.norm(_run_blocks(model.blocks, model.embed(frames, visible), rotary))
    return out


class Predictor(nn.Module):
    """Predicts the tokens of the full pass at the masked positions from the student's tokens.

    Blocks, positions and norm have the same type and width as in the encoder.

    Args:
        config: configuration of the encoder.
        depth: number of blocks.
        generator: random generator of the initial weights; None for torch's global generator.
    """

    rotary: Tensor | None

    def __init__(
        self, config: ViT1DConfig, *, depth: int = 6, generator: Generator | None = None
    ) -> None:
        super().__init__()
        # positions, blocks and final norm of an encoder; its projection is not used
        core = ViT1D(replace(config, depth=depth), generator=generator)
        self.entry = nn.Linear(config.dim, config.dim)
        self.mask_token = nn.Parameter(torch.empty(config.dim))
        self.positions = core.positions
        self.blocks = core.blocks
        self.norm = core.norm
        self.exit = nn.Linear(config.dim, config.dim)
        self.register_buffer("rotary", core.rotary, persistent=False)
        for weights in (self.entry.weight, self.mask_token, self.exit.weight):
            nn.init.normal_(weights, std=0.02, generator=generator)
        for bias in (self.entry.bias, self.exit.bias):
            nn.init.zeros_(bias)

    def forward(self, student: Tensor, masks: Masks) -> Tensor:
        """Predict the tokens of the masked frames.

        Args:
            student: (n, 1 + V, dim), from `encode_visible`.
            masks: (n, V) visible and (n, H) masked frames.

        Returns:
            (n, H, dim).
        """
        masked = self.mask_token.expand(*masks.hidden.shape, -1)
        context = self.entry(student).to(masked.dtype)  # under autocast `entry` returns bf16
        positions = torch.cat((token_positions(masks.visible), masks.hidden + 1), dim=1)
        tokens = torch.cat((context, masked), dim=1)
        if self.positions is not None:
            tokens = tokens + F.embedding(positions, self.positions)
        tokens = _run_blocks(self.blocks, tokens, _rotary_at(self.rotary, positions))
        out: Tensor = self.exit(self.norm(tokens[:, -masks.hidden.shape[1] :]))
        return out


def jepa_loss(predicted: Tensor, full: Tensor, hidden: Tensor) -> Tensor:
    """Mean squared error plus one minus cosine similarity, at the masked positions.

    Args:
        predicted: (n, H, dim).
        full: (n, time, dim) sequence tokens of the full pass, the target; it gets no gradient.
        hidden: (n, H) indices of the masked frames.

    Returns:
        A scalar in float32 or higher precision, also under autocast.
    """
    target = full.detach().gather(1, hidden[..., None].expand(-1, -1, full.shape[-1]))
    with torch.autocast(predicted.device.type, enabled=False):
        kind = torch.promote_types(predicted.dtype, torch.float32)
        predicted, target = predicted.to(kind), target.to(kind)
        cosine = F.cosine_similarity(predicted, target, dim=-1)  # (n, H)
        return F.mse_loss(predicted, target) + (1 - cosine).mean()


def _rotary_at(rotary: Tensor | None, positions: Tensor) -> Tensor | None:
    """Rotary angles at token positions (n, tokens): (2, n, 1, tokens, size / 2)."""
    return None if rotary is None else rotary[:, positions].unsqueeze(2)


def _run_blocks(blocks: nn.ModuleList, tokens: Tensor, rotary: Tensor | None) -> Tensor:
    for block in blocks:
        assert isinstance(block, Block)
        tokens = block(tokens, rotary, need_weights=False).tokens
    return tokens
