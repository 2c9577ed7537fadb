"""The audio of which tests/golden holds what the original packages make, and if they are there."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution

import numpy as np
import pytest
import torch
from torch import Tensor


def needs(package: str) -> None:
    """Skip a test whose package is not installed."""
    try:
        distribution(package)
    except PackageNotFoundError:
        pytest.skip(f"the package {package} is not installed")


def arpeggio(rate: int, samples: int, *, quiet: bool = False) -> Tensor:
    """(1, samples): decaying sines with bursts of noise; or (2, samples), with quiet noise beside.

    Args:
        rate: in Hz.
        samples: how many.
        quiet: whether to add the second row.
    """
    time = np.arange(samples) / rate
    generator = np.random.default_rng(0)
    audio = np.zeros(samples)
    for step, frequency in enumerate((220.0, 277.18, 329.63, 440.0)):
        since = (time - 0.2 * step) % 0.75
        audio += 0.15 * np.sin(2 * np.pi * frequency * time) * np.exp(-1.5 * since)
    audio += 0.05 * generator.standard_normal(samples) * (time % 0.5 < 0.05)
    rows = [audio, 0.001 * generator.standard_normal(samples)] if quiet else [audio]
    return torch.from_numpy(np.stack(rows).astype(np.float32))
