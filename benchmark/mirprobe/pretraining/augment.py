"""Variants of a track in other keys and tempi, made on its log-mel frames where the bank lies.

Two variants of one track have the same timbre and differ in harmony and rhythm, so that a loss
that must tell them apart cannot do it by timbre. Frames are resampled in time; in frequency each
mel band takes the level that lies the wanted number of semitones away from it. A small detuning,
drawn for each view, and an upper limit of frequency, drawn too, keep the traces of this resampling
from being what tells variants apart.
"""

from __future__ import annotations

from math import ceil, exp, log
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from mirprobe.vit1d.frontend import LogMelConfig

SEMITONES = 3  # variants are transposed by up to so many, either way
TEMPO = 0.12  # and are up to so much faster or slower, as a natural logarithm
_DETUNING = 0.1  # semitones, of each view, either way


class Warp(NamedTuple):
    """How the two views of each pair in a batch are resampled; the views of a pair go together.

    Attributes:
        semitones: (2, batch) upwards.
        tempo: (2, batch) above 1 is faster.
        limit: (2, batch) of the front end's upper edge; what the source has above is not heard.
    """

    semitones: Tensor
    tempo: Tensor
    limit: Tensor


def span(frames: int) -> int:
    """How many frames of a bank a variant of so many can need."""
    return ceil((frames - 1) * exp(TEMPO)) + 1


def draw_warp(tracks: int, variants: int, *, generator: Generator) -> Warp:
    """Draw variants, those of a track side by side, each in another key.

    Args:
        tracks: in the batch.
        variants: of each, at most 2 SEMITONES + 1.
        generator: on the CPU.
    """
    batch = tracks * variants
    keys = torch.rand(tracks, 2 * SEMITONES + 1, generator=generator).argsort(dim=1) - SEMITONES
    detuning = _DETUNING * (2 * torch.rand(2, batch, generator=generator) - 1)
    tempo = (TEMPO * (2 * torch.rand(batch, generator=generator) - 1)).exp()
    lowest = log(2) * -SEMITONES / 12
    limit = (lowest * torch.rand(2, batch, generator=generator)).exp()
    return Warp(keys[:, :variants].flatten() + detuning, tempo.expand(2, batch), limit)


def warp(frames: Tensor, how: Warp, config: LogMelConfig, *, time: int) -> Tensor:
    """Resample frames, by cubic convolution.

    Args:
        frames: (2, batch, span, bins), float32.
        how: of (2, batch) each, on the same device.
        config: of the front end: its bands, on the HTK scale.
        time: frames to give.

    Returns:
        (2, batch, time, bins); where a band or a moment lies beyond the source, its edge.
    """
    device, bins = frames.device, config.bins
    semitones, tempo, limit = (part.flatten()[:, None] for part in how)  # (2 batch, 1)
    centres = config.centres().to(device, torch.float32)
    heard = torch.minimum(centres * 2 ** (-semitones / 12), config.f_max * limit)
    columns = config.band(heard)  # (2 batch, bins)
    rows = torch.arange(time, device=device) * tempo  # (2 batch, time)
    grid = torch.stack(
        (
            (2 * columns / (bins - 1) - 1)[:, None].expand(-1, time, -1),
            (2 * rows / (frames.shape[-2] - 1) - 1)[..., None].expand(-1, -1, bins),
        ),
        dim=-1,
    )  # (2 batch, time, bins, 2)
    images = frames.flatten(0, 1)[:, None]
    found = F.grid_sample(images, grid, "bicubic", padding_mode="border", align_corners=True)
    return found.view(*frames.shape[:2], time, bins)
