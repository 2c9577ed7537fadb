"""`mirprobe pretrain fit` of a small model, slow enough to be stopped from outside.

Usage: slow_training.py OUTPUT OPTION...
"""

from __future__ import annotations

import sys
import time

from helpers.small_training import BANK, TINY
from torch import Tensor

import mirprobe.vit1d.model
from mirprobe.cli import main
from mirprobe.pretraining.bank import Bank
from mirprobe.pretraining.train_step import Trainer

OPTIONS = ["--steps", "60", "--batch", "4", "--device", "cpu", "--validate-every", "0"]
OPTIONS += ["--log-every", "2", "--save-every", "7"]


if __name__ == "__main__":
    original = Trainer.step

    def slow(self: Trainer, step: int, seconds: float = 0.0) -> dict[str, Tensor]:
        time.sleep(0.5)
        return original(self, step, seconds)

    mirprobe.vit1d.model.CONFIGS = TINY
    Bank.open = lambda path, expected: BANK  # type: ignore[method-assign, assignment, misc]
    if "--slow" in sys.argv:
        sys.argv.remove("--slow")
        Trainer.step = slow  # type: ignore[method-assign]
    sys.argv[1:] = ["pretrain", "fit", "bank", "-o", *sys.argv[1:], *OPTIONS]
    main()
