"""A training of a small model by two processes, which start by running this again.

Usage: two_process_training.py FOLDER STEPS
"""

from __future__ import annotations

import sys
from dataclasses import replace

from helpers.small_training import CONFIG, INTERVALS, TINY, make_bank

from mirprobe.pretraining.config import DeviceConfig
from mirprobe.pretraining.fit import fit

if __name__ == "__main__":
    fit(
        make_bank(held_out=3, frames=960),
        sys.argv[1],
        model=TINY["vit1d"],
        config=replace(CONFIG, steps=int(sys.argv[2]), same_group=0.5),
        device_config=DeviceConfig(device="cpu", devices=2),
        intervals=replace(INTERVALS, validate_every=5),
    )
