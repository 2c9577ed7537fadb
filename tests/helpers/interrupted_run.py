"""A run of the command line that stays in its second encoder until it is killed.

Usage: interrupted_run.py AUDIO CACHE RESULTS
"""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

import torch
from helpers.small_encoders import Bands
from helpers.tones import Tones
from helpers.workbench import QUICK
from torch import Tensor

from mirprobe import register_dataset, register_encoder
from mirprobe.cli import main
from mirprobe.core.schema import Tokens
from mirprobe.probing import probes


class Slow(Bands):
    def __call__(self, audio: Tensor) -> Tokens:
        if self.calls == 3:
            time.sleep(60)
        return super().__call__(audio)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
    torch.set_num_threads(1)
    probes.PRESETS["standard"] = QUICK
    audio, cache, results = sys.argv[1:]
    register_encoder("bands")(Bands)
    register_encoder("slow")(Slow)
    register_dataset("tones")(lambda root: Tones(Path(audio)))
    options = ["--dataset", "tones", "--task", "key", "--cache-dir", cache]
    sys.argv[1:] = ["run", "--encoder", "bands", "--encoder", "slow", *options]
    sys.argv += ["--results-dir", results]
    main()
