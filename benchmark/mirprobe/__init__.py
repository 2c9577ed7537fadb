"""mirprobe scores music encoders: cached embeddings, small probes, the field's metrics."""

from mirprobe.api import evaluate
from mirprobe.dataset import Dataset
from mirprobe.encoders.protocol import Encoder
from mirprobe.errors import MirprobeError
from mirprobe.fingerprint import digest, file_digest
from mirprobe.leaderboard import leaderboard
from mirprobe.metrics.statistic import weighted_mean
from mirprobe.registry import register_dataset, register_encoder, register_task
from mirprobe.schema import Annotations, Beats, Segments, Tokens, Track
from mirprobe.task import Task

__all__ = [
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
