"""mirprobe scores music encoders: cached embeddings, small probes, the field's metrics."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mirprobe.api.dataset import Dataset
    from mirprobe.api.encoder import About, Encoder, EncoderInfo
    from mirprobe.api.registry import register_dataset, register_encoder, register_task
    from mirprobe.api.task import Task
    from mirprobe.core.bootstrap import weighted_mean
    from mirprobe.core.errors import MirprobeError
    from mirprobe.core.hashing import digest, file_digest
    from mirprobe.core.schema import Annotations, Beats, Segments, Tokens, Track
    from mirprobe.evaluation.evaluate import evaluate
    from mirprobe.reporting.leaderboard import leaderboard

__all__ = [
    "About",
    "Annotations",
    "Beats",
    "Dataset",
    "Encoder",
    "EncoderInfo",
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
    "About": "mirprobe.api.encoder",
    "Annotations": "mirprobe.core.schema",
    "Beats": "mirprobe.core.schema",
    "Dataset": "mirprobe.api.dataset",
    "Encoder": "mirprobe.api.encoder",
    "EncoderInfo": "mirprobe.api.encoder",
    "MirprobeError": "mirprobe.core.errors",
    "Segments": "mirprobe.core.schema",
    "Task": "mirprobe.api.task",
    "Tokens": "mirprobe.core.schema",
    "Track": "mirprobe.core.schema",
    "digest": "mirprobe.core.hashing",
    "evaluate": "mirprobe.evaluation.evaluate",
    "file_digest": "mirprobe.core.hashing",
    "leaderboard": "mirprobe.reporting.leaderboard",
    "register_dataset": "mirprobe.api.registry",
    "register_encoder": "mirprobe.api.registry",
    "register_task": "mirprobe.api.registry",
    "weighted_mean": "mirprobe.core.bootstrap",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is asked for: `mirprobe --help` need not wait for torch."""
    if name not in _MODULES:
        raise AttributeError(f"module 'mirprobe' has no attribute '{name}'")
    return getattr(import_module(_MODULES[name]), name)
