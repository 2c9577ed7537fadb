"""A ViT-1D small enough for tests: windows of 1 s, 3 layers of 2 heads."""

from __future__ import annotations

from pathlib import Path

from mirprobe.encoders.vit1d import random_model
from mirprobe.vit1d.checkpoint import save_checkpoint
from mirprobe.vit1d.frontend import LogMelConfig
from mirprobe.vit1d.model import ViT1DConfig

SMALL = ViT1DConfig(
    frontend=LogMelConfig(bins=32), frames=32, dim=16, depth=3, heads=2, positions="rope"
)


def small_checkpoint(folder: Path, seed: int = 5) -> Path:
    """Random weights in a file."""
    path = folder / "small.safetensors"
    save_checkpoint(random_model(SMALL, seed), path)
    return path
