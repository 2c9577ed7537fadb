"""What the training adds to the model: `make bench`.

Runs, alternating: bare forward and backward passes of ViT-1D with NT-Xent on random tensors that
are ready in memory, and whole training steps on a bank of the same shape (drawing and cutting
pairs, dequantising, clipping, the schedules, AdamW). Prints the median of the rounds' ratios.
"""

from __future__ import annotations

from math import ceil
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from mirprobe.pretraining.bank import Bank, BankTrack, HeldOut, QuantisationError
from mirprobe.pretraining.bank_shards import rows_digest
from mirprobe.pretraining.config import DeviceConfig, FitConfig
from mirprobe.pretraining.launch import make_fabric
from mirprobe.pretraining.nt_xent import nt_xent
from mirprobe.pretraining.objectives import last_tokens
from mirprobe.pretraining.quantise import Quantiser
from mirprobe.pretraining.train_step import Trainer
from mirprobe.vit1d.model import ViT1D, ViT1DConfig

if TYPE_CHECKING:
    from lightning_fabric import Fabric

TRACKS, FRAMES, BATCH, STEPS, ROUNDS = 400, 2000, 8, 2, 7
MOST = 1.25
LARGE_BATCH, LARGE_STEPS = 128, 50  # on an accelerator
WAYS: dict[str, dict[str, Any]] = {
    "NT-Xent": {},
    "NT-Xent on variants, half hidden": {"same_group": 1.0, "variants": 4, "hide": 0.5},
}


def make_bank(config: ViT1DConfig) -> Bank:
    """Noise of music's size."""
    rows = np.random.default_rng(0).integers(
        0, 256, (TRACKS, FRAMES, config.frontend.bins), dtype=np.uint8
    )
    tracks = (
        BankTrack(
            "", f"{n}", "", "", f"{n}", FRAMES, 0.0, rows_digest(rows[n]), n * FRAMES, "train"
        )
        for n in range(TRACKS)
    )
    return Bank(
        path=Path("noise"),
        config=config.frontend,
        tracks=tuple(tracks),
        frames=rows.reshape(TRACKS * FRAMES, -1),
        quantiser=Quantiser.make(config.frontend, "uint8"),
        error=QuantisationError(0.0, 0.0),
        held_out=HeldOut(),
        skipped=(),
    )


def wait(device: torch.device) -> float:
    """The time when the device has done all that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    return perf_counter()


def measure(fabric: Fabric, options: dict[str, Any]) -> float:
    """The median ratio of whole steps to bare passes over as many frames."""
    large = fabric.device.type != "cpu"
    batch, steps = (LARGE_BATCH, LARGE_STEPS) if large else (BATCH, STEPS)
    config = ViT1DConfig()
    trainer = Trainer(make_bank(config), config, FitConfig(batch=batch, **options), fabric)
    model = ViT1D(config).to(fabric.device)
    seen = config.frames - ceil(trainer.config.hide * config.frames)
    views = torch.randn(2 * batch, seen, config.frontend.bins, device=fabric.device)

    def bare() -> float:
        begun = wait(fabric.device)
        for _ in range(steps):
            with fabric.autocast():
                classes = last_tokens(model, views)[:, 0]
                loss = nt_xent(classes[:batch], classes[batch:])
            torch.autograd.backward(loss)
            model.zero_grad()
        return wait(fabric.device) - begun

    def training(first: int) -> float:
        begun = wait(fabric.device)
        for step in range(first, first + steps):
            trainer.step(step)
        return wait(fabric.device) - begun

    bare(), training(0)  # warm up
    ratios = []
    for number in range(ROUNDS):
        alone, whole = bare(), training((number + 1) * steps)
        ratios.append(whole / alone)
        speed = 2 * batch * steps / whole
        print(f"round {number}: bare {alone:.2f} s, steps {whole:.2f} s, {speed:.0f} segments/s")
    return median(ratios)


def main() -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    fabric = make_fabric(DeviceConfig())
    ratios = []
    for name, options in WAYS.items():
        ratios.append(measure(fabric, options))
        print(f"{name}: step / bare forward and backward: {ratios[-1]:.3f} (at most {MOST})")
    if max(ratios) > MOST:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
