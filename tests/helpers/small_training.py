"""A small bank to train small models on, and what tests of a training ask."""

from __future__ import annotations

import csv
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from helpers.paths import TESTS
from numpy.typing import NDArray
from safetensors.torch import load_file

from mirprobe.pretraining.bank import Bank, BankTrack, HeldOut, QuantisationError
from mirprobe.pretraining.bank_shards import rows_digest
from mirprobe.pretraining.config import DeviceConfig, FitConfig, Intervals
from mirprobe.pretraining.fit import fit
from mirprobe.pretraining.quantise import Quantiser
from mirprobe.pretraining.training_run import FitResult
from mirprobe.vit1d.frontend import LogMelConfig
from mirprobe.vit1d.model import CONFIGS

BINS, TIME = 16, 12
FRONTEND = LogMelConfig(bins=BINS)
CPU = DeviceConfig(device="cpu")
INTERVALS = Intervals(log_every=2, validate_every=0, save_every=4)
TINY = {
    name: replace(config, frontend=FRONTEND, frames=TIME, dim=24, depth=2, heads=2)
    for name, config in CONFIGS.items()
}
CONFIG = FitConfig(steps=10, batch=4, lr=3e-3, warmup=0.2, predictor_depth=1, seed=5)


def make_bank(train: int = 8, held_out: int = 4, frames: int = 60) -> Bank:
    """Tracks that differ in the lower bands a little, and change much in the upper ones.

    To find a track again, one has to learn not to listen to the upper half.
    """
    rng = np.random.default_rng(0)
    quantiser = Quantiser("uint8", -8.0, 16 / 255)
    rows: list[NDArray[Any]] = []
    tracks = []
    for number in range(train + held_out):
        own = np.repeat(rng.standard_normal((1, BINS // 2)), frames, axis=0)
        drift = np.repeat(rng.standard_normal((frames // 20 + 1, BINS // 2)), 20, axis=0)[:frames]
        noise = 0.2 * rng.standard_normal((frames, BINS))
        values = np.concatenate((0.5 * own, 2 * drift), axis=1) + noise
        rows.append(quantiser.quantise(values.astype(np.float32)))
        tracks.append(
            BankTrack(
                id=f"{number}",
                source="",
                group="ab"[number % 2],
                start=number * frames,
                frames=frames,
                split="train" if number < train else "held-out",
                work=f"{number}",
                duration=0.0,
                key="",
                digest=rows_digest(rows[-1]),
            )
        )
    return Bank(
        path=Path("bank"),
        config=FRONTEND,
        tracks=tuple(tracks),
        frames=np.concatenate(rows),
        quantiser=quantiser,
        error=QuantisationError(0.0, 0.0),
        held_out=HeldOut(),
        skipped=(),
    )


BANK = make_bank()


def run(
    folder: Path,
    bank: Bank = BANK,
    model: str = "vit1d",
    begin_with: Path | None = None,
    intervals: Intervals = INTERVALS,
    **options: Any,
) -> FitResult:
    config = replace(CONFIG, **options)
    return fit(
        bank,
        folder,
        model=TINY[model],
        config=config,
        begin_with=begin_with,
        device_config=CPU,
        intervals=intervals,
    )


def environment() -> dict[str, str]:
    """Environment of a subprocess that imports the helpers and the same copy of the packages."""
    paths = [str(TESTS), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def same(first: Path, second: Path) -> bool:
    one, other = load_file(first), load_file(second)
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
