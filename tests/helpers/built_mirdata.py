"""Data sets of mirdata, built on miniatures, and what they hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import helpers.mirdata_miniatures_harmony  # noqa: F401  (brings its miniatures)
from helpers.mirdata_miniatures import miniature

from mirprobe.api.dataset import Dataset
from mirprobe.api.registry import DATASETS
from mirprobe.core.annotations import to_json
from mirprobe.core.schema import SPLITS, Track
from mirprobe_tasks.datasets.mirdata.adapter import MirdataDataset


def build(name: str, tmp_path: Path, **options: Any) -> MirdataDataset:
    root = tmp_path / name
    if not root.exists():
        miniature(name, root)
    dataset = DATASETS.get(name)(root=root, **options)
    assert isinstance(dataset, MirdataDataset)
    return dataset


def tracks(dataset: Dataset) -> dict[str, Track]:
    parts = dataset.splits()
    return {track.id: track for split in SPLITS for track in parts[split]}


def places(dataset: Dataset) -> dict[str, str]:
    parts = dataset.splits()
    return {track.id: split for split in SPLITS for track in parts[split]}


def values(dataset: Dataset, key: str) -> dict[str, Any]:
    return to_json(tracks(dataset)[key].annotations)
