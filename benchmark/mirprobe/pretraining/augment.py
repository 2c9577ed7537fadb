"""Augmentation: transpose and time-stretch log-mel frames on the device.

Two versions of a track have the same timbre but another key and tempo, so the loss cannot
distinguish them by timbre. Frames are resampled in time. In frequency, each mel band takes the
value at a distance of the given number of semitones. A small random detuning and a random upper
limit of the frequency, drawn for each view, mask the artefacts of resampling, which could otherwise
identify a version.
"""

from __future__ import annotations

from math import ceil, exp, log
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from mirprobe.vit1d.frontend import LogMelConfig

SEMITONES = 3  # maximum transposition, up or down
TEMPO = 0.12  # maximum absolute natural logarithm of the change of tempo
_DETUNING = 0.1  # maximum detuning of each view in semitones, up or down


class Warp(NamedTuple):
    """Parameters of the augmentation of a batch; both views of a pair share key and tempo.

    Attributes:
        semitones: (2, batch), transposition upwards.
        tempo: (2, batch), factor; above 1 is faster.
        limit: (2, batch), share of the upper edge of the front end; higher frequencies of the
            source are not used.
    """

    semitones: Tensor
    tempo: Tensor
    limit: Tensor


def span(frames: int) -> int:
    """Maximum number of source frames for a version of `frames` frames."""
    return ceil((frames - 1) * exp(TEMPO)) + 1


def draw_warp(tracks: int, variants: int, *, generator: Generator) -> Warp:
    """Draw the parameters of several versions of each track, each version in another key.

    Args:
        tracks: number of tracks in the batch.
        variants: versions of each track, at most 2 SEMITONES + 1; they are adjacent in the batch.
        generator: random generator on the CPU.
    """
    batch = tracks * variants
    keys = torch.rand(tracks, 2 * SEMITONES + 1, generator=generator).argsort(dim=1) - SEMITONES
    detuning = _DETUNING * (2 * torch.rand(2, batch, generator=generator) - 1)
    tempo = (TEMPO * (2 * torch.rand(batch, generator=generator) - 1)).exp()
    lowest = log(2) * -SEMITONES / 12
    limit = (lowest * torch.rand(2, batch, generator=generator)).exp()
    return Warp(keys[:, :variants].flatten() + detuning, tempo.expand(2, batch), limit)


def warp(frames: Tensor, how: Warp, config: LogMelConfig, *, time: int) -> Tensor:
    """Transpose and stretch frames by cubic convolution.

    Args:
        frames: (2, batch, span, bins), float32.
        how: parameters, on the same device.
        config: configuration of the front end, whose bands are on the HTK mel scale.
        time: number of frames to return.

    Returns:
        (2, batch, time, bins). Outside the source, values at its edge are repeated.
    """
    device, bins = frames.device, config.bins
    semitones, tempo, limit = (part.flatten()[:, None] for part in how)  # (2 batch, 1)
    centres = config.centres().to(device, torch.float32)
    source = torch.minimum(centres * 2 ** (-semitones / 12), config.f_max * limit)
    columns = config.band(source)  # (2 batch, bins)
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
