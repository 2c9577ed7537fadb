"""A run of the command line that stays in its second cell until it is killed.

Usage: interrupted_run.py AUDIO CACHE RESULTS
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from helpers.small_encoders import Bands
from helpers.tones import Tones
from helpers.workbench import QUICK

from mirprobe import Annotations, Statistic, register_dataset, register_encoder, register_task
from mirprobe.cli import main
from mirprobe.probing import probes
from mirprobe_tasks.key import Key


class Slow(Key):
    """A task that sleeps when it scores, in a process that was told to."""

    name = "slow"

    def score(
        self, references: Sequence[Annotations], estimates: Sequence[Annotations]
    ) -> dict[str, Statistic]:
        time.sleep(float(os.environ.get("SLEEP", "0")))
        return super().score(references, estimates)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
    torch.set_num_threads(1)
    probes.PRESETS["standard"] = QUICK
    audio, cache, results = sys.argv[1:]
    register_encoder("bands")(Bands)
    register_task("slow")(Slow)
    register_dataset("tones")(lambda root: Tones(Path(audio)))
    options = ["--dataset", "tones", "--task", "key", "--task", "slow"]
    sys.argv[1:] = ["run", "--encoder", "bands", "--jobs", "1", "--cache-dir", cache, *options]
    sys.argv += ["--results-dir", results]
    main()
