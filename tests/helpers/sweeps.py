"""Tracks for banks: rising tones, each one different."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mirprobe.pretraining.bank import Bank
from mirprobe.pretraining.bank_shards import Samples, write_shard
from mirprobe.pretraining.merge_shards import merge_shards
from mirprobe.vit1d.frontend import LogMel

RATE, HOP = 16_000, 512


def sweep(seconds: float = 10.0, *, seed: int = 0, rate: int = RATE) -> Samples:
    """A rising tone over faint noise; no two seeds alike."""
    time = np.arange(int(rate * seconds)) / rate
    tone = np.sin(2 * np.pi * (110.0 + 10 * seed + 20 * time) * time)
    noise = np.random.default_rng(seed).standard_normal(len(time))
    return (0.3 * tone + 0.003 * noise).astype(np.float32)


def add(bank: Path, name: str, samples: Samples | Iterable[Samples], **options: Any) -> Any:
    given = {"id": name, "source": f"{name}.wav", "group": "tests", **options}
    return write_shard(bank, f"key of {name}", samples, **given)


def build(bank: Path, count: int, *, first: int = 0, **options: Any) -> Bank:
    """Add so many tracks of 8.5 s, called t000 and so on, of these seeds."""
    for number in range(first, first + count):
        add(bank, f"t{number:03}", sweep(8.5, seed=number), **options)
    return merge_shards(bank)


def logmel(samples: Samples) -> NDArray[np.float32]:
    frames: NDArray[np.float32] = LogMel()(torch.from_numpy(samples)[None])[0].numpy()
    return frames
