"""Short runs of the whole harness in one folder, on the data set of known truth."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mirprobe.api.dataset import Dataset
from mirprobe.api.encoder import Encoder
from mirprobe.api.task import Task
from mirprobe.evaluation.config import RunConfig, make_config
from mirprobe.evaluation.run_result import RunResult
from mirprobe.evaluation.runner import run
from mirprobe.probing.probes import HIDDEN, AdamWConfig, ProbeConfig

_LINEAR = AdamWConfig(None, (0.01, 0.03), 0.01, {"clip": 12, "frame": 256}, 60, 20, 2, True)
QUICK: dict[str, ProbeConfig] = {"linear": _LINEAR, "mlp": replace(_LINEAR, hidden=HIDDEN)}
"""To be put in the place of the preset `standard`: enough for the tones, a second at most."""


@dataclass
class Workbench:
    root: Path
    dataset: Dataset

    def config(self, *encoders: str, **options: Any) -> RunConfig:
        values = {
            "encoders": encoders,
            "tasks": ["key"],
            "dataset": "tones",
            "layers": "all",
            "cache_dir": self.root / "cache",
            "results_dir": self.root / "results",
        }
        return make_config({**values, **options})

    def run(self, *encoders: Encoder, tasks: Any = ("key",), **options: Any) -> RunResult:
        """Score instances, known by their class's name, on tasks: names or instances."""
        own = {type(encoder).__name__: encoder for encoder in encoders}
        own_tasks: dict[str, Task] = {t.name: t for t in tasks if not isinstance(t, str)}
        names = [task if isinstance(task, str) else task.name for task in tasks]
        config = self.config(*own, tasks=names, **options)
        return run(config, encoders=own, tasks=own_tasks, dataset=self.dataset)
