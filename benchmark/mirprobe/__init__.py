"""mirprobe scores music encoders: cached embeddings, small probes, the field's metrics."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mirprobe.api import evaluate
    from mirprobe.dataset import Dataset
    from mirprobe.encoders.about import About
    from mirprobe.encoders.protocol import Encoder
    from mirprobe.errors import MirprobeError
    from mirprobe.fingerprint import digest, file_digest
    from mirprobe.metrics.statistic import weighted_mean
    from mirprobe.ranking import leaderboard
    from mirprobe.registry import register_dataset, register_encoder, register_task
    from mirprobe.schema import Annotations, Beats, Segments, Tokens, Track
    from mirprobe.task import Task

__all__ = [
    "About",
    "Annotations",
    "Beats",
    "Dataset",
    "Encoder",
    "MirprobeError",
    "Segments",
    "Task",
    "Tokens",
    "Track",
    "digest",
    "evaluate",
    "file_digest",
    "leaderboard",
    "register_dataset",
    "register_encoder",
    "register_task",
    "weighted_mean",
]

_MODULES = {
    "About": "mirprobe.encoders.about",
    "Annotations": "mirprobe.schema",
    "Beats": "mirprobe.schema",
    "Dataset": "mirprobe.dataset",
    "Encoder": "mirprobe.encoders.protocol",
    "MirprobeError": "mirprobe.errors",
    "Segments": "mirprobe.schema",
    "Task": "mirprobe.task",
    "Tokens": "mirprobe.schema",
    "Track": "mirprobe.schema",
    "digest": "mirprobe.fingerprint",
    "evaluate": "mirprobe.api",
    "file_digest": "mirprobe.fingerprint",
    "leaderboard": "mirprobe.ranking",
    "register_dataset": "mirprobe.registry",
    "register_encoder": "mirprobe.registry",
    "register_task": "mirprobe.registry",
    "weighted_mean": "mirprobe.metrics.statistic",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is asked for: `mirprobe --help` need not wait for torch."""
    if name not in _MODULES:
        raise AttributeError(f"module 'mirprobe' has no attribute '{name}'")
    return getattr(import_module(_MODULES[name]), name)
