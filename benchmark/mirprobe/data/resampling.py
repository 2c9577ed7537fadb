"""Blocks of decoded audio, as mono at the sample rate of an encoder."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import soxr
from numpy.typing import NDArray

Block = NDArray[np.float32]
"""(frames, channels)."""

_GROWTH = 1 << 24  # samples by which the result grows


@dataclass
class Seen:
    """What the blocks of a track were like.

    Attributes:
        rate: of the file, in Hz.
        frames: decoded.
        channel_peak: largest absolute sample of any channel.
        peak: the same after averaging the channels.
        finite: whether all were numbers.
    """

    rate: int
    frames: int = 0
    channel_peak: float = 0.0
    peak: float = 0.0
    finite: bool = True


@np.errstate(invalid="ignore", over="ignore")  # of samples that `load` refuses
def resample_blocks(
    blocks: Iterable[Block], rate: int, frames: int, sample_rate: int
) -> tuple[NDArray[np.float32], Seen]:
    """Blocks of `frames` frames together as mono at `sample_rate`, and what was seen in them.

    The stream gives the same samples as soxr's resampling in one go.
    """
    seen = Seen(rate)
    stream = soxr.ResampleStream(rate, sample_rate, 1, dtype="float32")
    wanted = -(-frames * sample_rate // rate) + 1
    resampled = np.empty(min(wanted, _GROWTH), dtype=np.float32)
    length = 0

    def add(mono: NDArray[np.float32], last: bool) -> None:
        nonlocal length
        part = stream.resample_chunk(mono, last=last)
        if length + len(part) > len(resampled):  # never as much as a header claims at once
            resampled.resize(min(wanted, length + len(part) + _GROWTH), refcheck=False)
        resampled[length : length + len(part)] = part
        length += len(part)

    for block in blocks:
        mono = block.mean(axis=1, dtype=np.float32)
        seen.frames += len(block)
        seen.channel_peak = max(seen.channel_peak, _peak(block))
        seen.peak = max(seen.peak, _peak(mono))
        seen.finite &= bool(np.isfinite(mono).all())
        add(mono, last=seen.frames == frames)
    if seen.frames < frames:  # cut short
        add(np.empty(0, dtype=np.float32), last=True)
    return resampled[:length], seen


def _peak(samples: NDArray[np.float32]) -> float:
    return float(max(samples.max(initial=0.0), -samples.min(initial=0.0)))
