"""Check that an encoder encodes the first window of a run in the same way at the end of the run.

An encoder whose weights change between calls, or that uses dropout, would fill the cache with
embeddings that no other run reproduces. The first window is therefore encoded a second time after
the last one. To cost at most 10 %, this is done only after 10 windows with at least 10 times the
audio of the first one. `mirprobe validate-encoder` has a stricter check.

From run to run, one cached track is encoded again: `distance` compares it with the cache. Of a
built-in encoder this is done once for each `code_state`.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
from torch import Tensor

from mirprobe.core.errors import UntrustedEncoderError
from mirprobe.core.hashing import digest, folder_hash
from mirprobe.core.number_types import Precision
from mirprobe.core.schema import Floating, Tokens
from mirprobe.encoders.encode import difference, select_row

SHARE = 10  # windows for each one that is encoded again
TOLERANCE = 0.05
"""Relative difference: more than batch size causes in half precision, less than dropout causes."""

STALE: dict[Precision, float] = {"32": 0.02, "bf16": 0.25, "fp16": 0.25}
"""Difference that device, batch or threads may cause, relative to the spread of a layer."""
_CONSTANT = 1e-3  # of a layer's size: the least spread that is assumed


@cache
def code_state() -> str:
    """A hash of what a built-in encoder depends on beside its fingerprint: code and machine."""
    packages = ("torch", "numpy", "scipy", "librosa", "numba", "soundfile", "soxr")
    folders = ("core", "data", "embedding", "encoders", "vit1d")
    code = [folder_hash(Path(__file__).parents[1] / name) for name in folders]
    return digest([version(name) for name in packages], code, platform.uname())


@dataclass
class RepeatCheck:
    """The first window that was encoded, and its tokens.

    Attributes:
        window: (1, samples).
        tokens: of that window.
        windows: number encoded since the start or the last comparison.
        samples: total of these windows.
    """

    window: Tensor | None = None
    tokens: Tokens | None = None
    windows: int = 0
    samples: int = 0

    def record(self, windows: Tensor, tokens: Tokens) -> None:
        """Count a batch (batch, samples); keep the first window of the first batch."""
        if self.window is None:
            self.window = windows[:1].clone()
            self.tokens = select_row(tokens, 0)
        self.windows += len(windows)
        self.samples += windows.numel()

    def window_to_repeat(self) -> Tensor | None:
        """The window to encode again, or None if too few others have been encoded."""
        if self.window is None or self.windows < SHARE:
            return None
        return self.window if self.samples >= SHARE * self.window.numel() else None

    def compare(self, again: Tokens) -> None:
        """Compare the second encoding of the window with the first, and reset the counts.

        Raises:
            UntrustedEncoderError: they differ.
        """
        assert self.tokens is not None
        apart = difference(self.tokens, again)
        if apart > TOLERANCE:
            raise UntrustedEncoderError(
                f"gave two embeddings of the same window, {100 * apart:.0f} % apart, at the "
                f"beginning and the end of {self.windows} windows; put it into evaluation mode "
                "(dropout, batch norm) and do not change its weights (nothing of it was cached)"
            )
        self.windows = self.samples = 0


def distance(cached: Floating, again: Floating) -> float:
    """How far two encodings of a track lie apart.

    Args:
        cached: (rows, ..., layers, dim); rows are windows or frames.
        again: the same, encoded a second time.

    Returns:
        The root mean square of their difference over that of the first around its mean over rows,
        of the layer where it is largest; infinite if their shapes differ.
    """
    if cached.shape != again.shape:
        return float("inf")
    left, right = cached.astype(np.float64), again.astype(np.float64)
    axes = tuple(axis for axis in range(left.ndim) if axis != left.ndim - 2)
    size = np.sqrt(np.square(left).mean(axes))  # (layers,)
    centred = left - left.mean(0) if len(left) > 1 else left
    spread = np.maximum(np.sqrt(np.square(centred).mean(axes)), _CONSTANT * size)
    apart = np.sqrt(np.square(right - left).mean(axes))
    return float(np.where(apart > 0, apart / np.maximum(spread, 1e-30), 0.0).max())
