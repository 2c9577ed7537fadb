"""Quantisation of log-mel frames to 8 or 16 bits, with a fixed scale for all audio."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mirprobe.vit1d.frontend import LogMelConfig

DType = Literal["uint8", "float16"]
Rows = TypeVar("Rows", Tensor, NDArray[Any])

_HEADROOM = 8.0


def level(config: LogMelConfig, decibels: float) -> float:
    """The log-mel value of a sine of a given level in its mel band.

    Args:
        config: configuration of the front end.
        decibels: level relative to a sine of amplitude 1, whose power in a Hann window of n samples
            is n squared over 16.
    """
    power = config.n_fft**2 / 16 * 10 ** (decibels / 10)
    return (math.log(max(power, config.floor)) - config.mean) / config.deviation


@dataclass(frozen=True)
class Quantiser:
    """Quantiser of log-mel frames: a stored number q stands for `q * scale + offset`.

    For uint8 the range is from digital silence (exactly 0) to 8 dB above a full-scale sine. Audio
    in [-1, 1] does not exceed 4.8 dB (Parseval: a band holds at most 3/16 of n_fft squared); the
    rest is headroom for decoders that overshoot. Values outside are clipped. Within the range the
    error is at most half of `scale`: 0.014 units of the front end, or 0.22 dB for the default front
    end. For float16 the error is at most 2 ** -11 of the value.
    """

    dtype: DType
    offset: float
    scale: float

    @classmethod
    def make(cls, config: LogMelConfig, dtype: DType) -> Quantiser:
        """The quantiser for frames of a front end and a number type."""
        if dtype == "float16":
            return cls(dtype, 0.0, 1.0)
        bottom = (math.log(config.floor) - config.mean) / config.deviation
        return cls(dtype, bottom, (level(config, _HEADROOM) - bottom) / 255)

    def quantise(self, frames: NDArray[np.float32]) -> NDArray[Any]:
        """Quantise frames of any shape; returns an array of the same shape."""
        if self.dtype == "float16":
            return frames.astype(np.float16)
        steps = np.rint((frames - np.float32(self.offset)) / np.float32(self.scale))
        whole: NDArray[np.uint8] = np.clip(steps, 0, 255).astype(np.uint8)
        return whole

    def dequantise(self, rows: Rows) -> Rows:
        """Convert stored numbers to frames in float32; tensors stay on their device."""
        if isinstance(rows, Tensor):
            return rows.to(torch.float32).mul_(self.scale).add_(self.offset)
        return rows.astype(np.float32) * np.float32(self.scale) + np.float32(self.offset)
