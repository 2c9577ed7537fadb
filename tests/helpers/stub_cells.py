"""Tracks of known classes for single cells, and the rows of their results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from helpers.in_memory import InMemory
from helpers.stub_task import LABELS

from mirprobe.core.schema import SPLITS, Annotations, Embedding, Split, Track
from mirprobe.probing.probe_run import ProbeRun
from mirprobe.probing.probes import AdamWConfig, ProbeConfig
from mirprobe.probing.results import Cell

Tracks = dict[Split, list[tuple[Track, Embedding]]]


CONFIG = AdamWConfig(None, (0.03,), 0.01, {"clip": 16, "frame": 32}, 100, 10, 3, False)


SIZES: dict[Split, int] = {"train": 30, "valid": 12, "test": 15}


FRAMES: dict[Split, int] = {"train": 4, "valid": 5, "test": 7}


ROW = {name: name for name in ("encoder", "task", "dataset", "probe", "preset")} | {
    name: name for name in ("fingerprint", "splits", "cell")
}


INFORMED: Mapping[Split, Sequence[bool]] = dict.fromkeys(SPLITS, (True, True))


def setup(config: ProbeConfig = CONFIG, seeds: tuple[int, ...] = (0,)) -> ProbeRun:
    return ProbeRun(("low", "high"), ("sequence",), 2.0, config, seeds, ROW)


def make_tracks(informed: Mapping[Split, Sequence[bool]] = INFORMED, seed: int = 0) -> Tracks:
    """Three classes in turn; each layer shows the class, or noise where it is not informed."""
    rng = np.random.default_rng(seed)
    made: Tracks = {split: [] for split in SPLITS}
    for split in SPLITS:
        for number in range(SIZES[split]):
            shown = [number % 3 if known else int(rng.integers(3)) for known in informed[split]]
            rows = 4 * np.eye(3)[shown] + rng.normal(0, 0.3, (FRAMES[split], 2, 3))  # (T, 2, 3)
            frames = rows.astype(np.float32)
            name = f"{split}-{number}"
            track = Track(name, Path(name), name, Annotations(key=LABELS[number % 3]))
            embedding = Embedding(frames[:1, None], InMemory(frames), len(rows) / 2.0)
            made[split].append((track, embedding))
    return made


def relabelled(tracks: Tracks, split: Split, keys: Sequence[str]) -> Tracks:
    pairs = [
        (replace(track, annotations=Annotations(key=key)), embedding)
        for (track, embedding), key in zip(tracks[split], keys, strict=True)
    ]
    return {**tracks, split: pairs}


def shifted(tracks: Tracks, split: Split) -> Tracks:
    """Every label of a split is the one after the one that its embeddings show."""
    return relabelled(tracks, split, [LABELS[(n + 1) % 3] for n in range(SIZES[split])])


def table(result: Cell, kind: str = "probe", metric: str = "accuracy") -> pd.DataFrame:
    rows = pd.DataFrame(result.scores)
    return rows[(rows["kind"] == kind) & (rows["metric"] == metric)].reset_index(drop=True)
