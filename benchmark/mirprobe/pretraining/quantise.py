"""Log-mel frames in 8 or 16 bits: a fixed scale for any music, so that banks can be joined."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mirprobe.vit1d.frontend import LogMelConfig

DType = Literal["uint8", "float16"]

_HEADROOM = 8.0


def level(config: LogMelConfig, decibels: float) -> float:
    """The value that a sine of this level has in its mel band, in units of the front end.

    Args:
        config: of the front end.
        decibels: relative to a sine of amplitude 1, whose power in a Hann window of n samples is
            n squared over 16.
    """
    power = config.n_fft**2 / 16 * 10 ** (decibels / 10)
    return (math.log(max(power, config.floor)) - config.mean) / config.deviation


@dataclass(frozen=True)
class Quantiser:
    """A number q on disk stands for `q * scale + offset`.

    For uint8 the range goes from digital silence (exactly 0) to 8 dB above a full-scale sine. No
    audio in [-1, 1] comes above 4.8 dB (Parseval: a band holds at most 3/16 of n_fft squared), the
    rest is room for decoders that overshoot; what lies beyond is clipped. Within the range the
    error is at most half of `scale`: 0.014 deviations or 0.22 dB for the default front end. For
    float16 it is at most 2 ** -11 of the value.
    """

    dtype: DType
    offset: float
    scale: float

    @classmethod
    def make(cls, config: LogMelConfig, dtype: DType) -> Quantiser:
        """The one quantiser for frames of this front end in this type."""
        if dtype == "float16":
            return cls(dtype, 0.0, 1.0)
        bottom = (math.log(config.floor) - config.mean) / config.deviation
        return cls(dtype, bottom, (level(config, _HEADROOM) - bottom) / 255)

    def quantise(self, frames: NDArray[np.float32]) -> NDArray[Any]:
        """Frames of any shape to numbers for the disk, of the same shape."""
        if self.dtype == "float16":
            return frames.astype(np.float16)
        steps = np.rint((frames - np.float32(self.offset)) / np.float32(self.scale))
        whole: NDArray[np.uint8] = np.clip(steps, 0, 255).astype(np.uint8)
        return whole

    @overload
    def dequantise(self, rows: Tensor) -> Tensor: ...
    @overload
    def dequantise(self, rows: NDArray[Any]) -> NDArray[np.float32]: ...
    def dequantise(self, rows: Tensor | NDArray[Any]) -> Tensor | NDArray[np.float32]:
        """Numbers from the disk to frames in float32; tensors stay on their device."""
        if isinstance(rows, Tensor):
            return rows.to(torch.float32).mul_(self.scale).add_(self.offset)
        frames: NDArray[np.float32] = rows.astype(np.float32)
        frames *= np.float32(self.scale)
        frames += np.float32(self.offset)
        return frames
