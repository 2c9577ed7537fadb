"""The JEPA half of CoJEPA: hidden sequence tokens are predicted from those that are left.

Source: Meseguer-Brocal et al., CoJEPA: one contiguous block of 50-75 % of the frames is dropped
before the student pass; a predictor of 6 blocks says what the full pass gives at the hidden places;
the full pass is the same network with its gradient stopped, no moving average of it. Left open by
the paper and chosen here: block lengths are drawn evenly, one a batch; the class token goes through
the predictor as context; "L2" is the mean over the dimensions of the squared difference.
"""

from __future__ import annotations

from dataclasses import replace
from math import ceil, floor
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from mirprobe.vit1d.blocks import rotation
from mirprobe.vit1d.model import Block, ViT1D, ViT1DConfig


class Masks(NamedTuple):
    """Which frames of each segment the student sees.

    Attributes:
        visible: (..., time - length) indices of frames.
        hidden: (..., length) the others, one contiguous block.
    """

    visible: Tensor
    hidden: Tensor


def draw_masks(
    shape: tuple[int, ...], *, time: int, share: tuple[float, float], generator: Generator
) -> Masks:
    """Draw one block a segment, all of one length, so that what is left stays rectangular.

    Args:
        shape: of the segments, such as (2, batch).
        time: frames in a segment.
        share: least and most of the frames to hide; the least, rounded up, where no whole number
            lies between.
        generator: on the CPU.
    """
    least = ceil(share[0] * time)
    most = max(least, floor(share[1] * time))
    length = int(torch.randint(least, most + 1, (), generator=generator))
    start = torch.randint(0, time - length + 1, (*shape, 1), generator=generator)
    ahead = torch.arange(time - length).expand(*shape, -1)
    return Masks(
        visible=ahead + length * (ahead >= start), hidden=start + torch.arange(length)
    )  # visible frames behind the block lie one block further


def encode_visible(model: ViT1D, frames: Tensor, visible: Tensor) -> Tensor:
    """The student pass: the model on some of the frames, each at the position it had.

    The class token too starts from the visible frames alone.

    Args:
        model: the encoder.
        frames: (n, time, bins).
        visible: (n, V) indices of the frames to keep; the others are never read.

    Returns:
        (n, 1 + V, dim), the last layer's tokens, the class token first.
    """
    kept = frames.gather(1, visible[..., None].expand(-1, -1, frames.shape[-1]))
    projected = model.project(kept)  # (n, V, D)
    summary = model.class_token + projected.mean(dim=1, keepdim=True)
    places = _places(visible)
    tokens = torch.cat((summary, projected), dim=1)
    if model.positions is not None:
        tokens = tokens + F.embedding(places, model.positions)
    tokens = _through(model.blocks, tokens, _turns_at(model.turns, places))
    out: Tensor = model.norm(tokens)
    return out


class Predictor(nn.Module):
    """From the student's tokens to those of the full pass at the hidden places.

    Blocks, positions and norm are of the encoder's kind and width.

    Args:
        config: the encoder's.
        depth: number of blocks.
        generator: draws the initial weights; None for torch's global one.
    """

    turns: Tensor | None

    def __init__(
        self, config: ViT1DConfig, *, depth: int = 6, generator: Generator | None = None
    ) -> None:
        super().__init__()
        # an encoder of the wanted kind, relieved of its front end: positions, blocks, final norm
        core = ViT1D(replace(config, depth=depth), generator=generator)
        self.entry = nn.Linear(config.dim, config.dim)
        self.mask_token = nn.Parameter(torch.empty(config.dim))
        self.positions = core.positions
        self.blocks = core.blocks
        self.norm = core.norm
        self.exit = nn.Linear(config.dim, config.dim)
        turns = rotation(
            positions=1 + config.frames, size=config.dim // config.heads, base=config.rope_base
        )
        learned = core.positions is not None
        self.register_buffer("turns", None if learned else turns, persistent=False)
        for weights in (self.entry.weight, self.mask_token, self.exit.weight):
            nn.init.normal_(weights, std=0.02, generator=generator)
        for bias in (self.entry.bias, self.exit.bias):
            nn.init.zeros_(bias)

    def forward(self, student: Tensor, masks: Masks) -> Tensor:
        """Predict the hidden tokens.

        Args:
            student: (n, 1 + V, dim) of `encode_visible`.
            masks: (n, V) visible and (n, H) hidden.

        Returns:
            (n, H, dim).
        """
        asked = self.mask_token.expand(*masks.hidden.shape, -1)
        known = self.entry(student).to(asked.dtype)  # autocast: half products, float residuals
        places = torch.cat((_places(masks.visible), masks.hidden + 1), dim=1)
        tokens = torch.cat((known, asked), dim=1)
        if self.positions is not None:
            tokens = tokens + F.embedding(places, self.positions)
        tokens = _through(self.blocks, tokens, _turns_at(self.turns, places))
        out: Tensor = self.exit(self.norm(tokens[:, -masks.hidden.shape[1] :]))
        return out


def jepa_loss(predicted: Tensor, full: Tensor, hidden: Tensor) -> Tensor:
    """Squared difference plus one minus cosine, at the hidden places; the target is held still.

    Args:
        predicted: (n, H, dim).
        full: (n, time, dim) sequence tokens of the full pass; no gradient goes into them.
        hidden: (n, H) indices into `time`.

    Returns:
        A scalar, in float32 or better whatever autocast says.
    """
    target = full.detach().gather(1, hidden[..., None].expand(-1, -1, full.shape[-1]))
    with torch.autocast(predicted.device.type, enabled=False):
        kind = torch.promote_types(predicted.dtype, torch.float32)
        predicted, target = predicted.to(kind), target.to(kind)
        cosine = F.cosine_similarity(predicted, target, dim=-1)  # (n, H)
        return F.mse_loss(predicted, target) + (1 - cosine).mean()


def _places(visible: Tensor) -> Tensor:
    """Positions of the class token (0) and of the visible frames, (n, 1 + V)."""
    return F.pad(visible + 1, (1, 0))


def _turns_at(turns: Tensor | None, places: Tensor) -> Tensor | None:
    """Rotary angles at each token's place: (2, n, 1, tokens, size / 2), one for all heads."""
    return None if turns is None else turns[:, places].unsqueeze(2)


def _through(blocks: nn.ModuleList, tokens: Tensor, turns: Tensor | None) -> Tensor:
    for block in blocks:
        assert isinstance(block, Block)
        tokens = block(tokens, turns, explicit=False).tokens
    return tokens
