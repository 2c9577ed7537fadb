"""Curves of few labels beside one run: `make bench`.

A cell of a clip task and one of a frame task on made-up embeddings: with subsets of 30 and 100
tracks in five random orders, beside the same cells without them. The embeddings are there: the
curves may cost at most twice as much as the run. Prints ratios.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from time import thread_time

import numpy as np
from helpers.in_memory import InMemory
from helpers.tones import Tones

from mirprobe.api.task import Task
from mirprobe.core.schema import Annotations, Beats, Embedding, Split, Track
from mirprobe.metrics.key import KEYS
from mirprobe.probing.cell import run_cell
from mirprobe.probing.probe_run import ProbeRun
from mirprobe.probing.probes import probe_config
from mirprobe.probing.subsets import FewLabels
from mirprobe_tasks.beat import Beat
from mirprobe_tasks.key import Key

SIZES: Mapping[Split, int] = {"train": 200, "valid": 60, "test": 72}
FEW = FewLabels((30, 100), (), 5)
LAYERS, DIM, RATE, SECONDS = ("4", "8", "12"), 192, 25.0, 15
MOST = 2.0
ROW = dict.fromkeys(
    ("encoder", "task", "dataset", "probe", "preset", "fingerprint", "splits", "cell"), ""
)
Tracks = dict[Split, list[tuple[Track, Embedding]]]


def tracks() -> Tracks:
    """Each layer shows key and beats through noise."""
    rng = np.random.default_rng(0)
    keys = rng.normal(size=(len(KEYS), DIM))
    beat = rng.normal(size=DIM)
    frames = int(RATE * SECONDS)
    made: Tracks = {}
    for split, size in SIZES.items():
        made[split] = []
        for number in range(size):
            times = np.arange(rng.uniform(0, 0.5), SECONDS, 60 / rng.uniform(80, 160))
            near = np.zeros(frames)
            near[np.round(times * RATE).astype(int).clip(max=frames - 1)] = 1
            rows = keys[number % len(KEYS)] + near[:, None] * beat
            noise = 3 * rng.normal(size=(frames, len(LAYERS), DIM))
            rows = (rows[:, None] + noise).astype(np.float32)
            positions = np.arange(len(times)) % 4 + 1
            truth = Annotations(key=KEYS[number % len(KEYS)], beats=Beats(times, positions))
            track = Track(f"{split}-{number}", Path(split), f"{split}-{number}", truth)
            clip = rows.mean(0)[None, None] + 3 * rng.normal(size=(1, 3, len(LAYERS), DIM))
            made[split].append((track, Embedding(clip, InMemory(rows), SECONDS)))
    return made


def seconds(task: Task, made: Tracks) -> tuple[float, float]:
    """Time of a cell, and of the curve that is added to it."""
    sources = ("class", "sequence", "both")
    run = ProbeRun(LAYERS, sources, RATE, probe_config("standard", "linear"), (0,), ROW)
    times = []
    for one in (run, replace(run, few=FEW)):
        begun = thread_time()
        run_cell(task, made, one)
        times.append(thread_time() - begun)
    cell, curve = times[0], times[1] - times[0]
    print(f"{task.name}: {cell:.1f} s a cell; curve / cell {curve / cell:.2f}")
    return cell, curve


def main() -> None:
    """Measure and print."""
    made, data = tracks(), Tones(Path())
    cells, curves = zip(*(seconds(task, made) for task in (Key(data), Beat(data))), strict=True)
    ratio = sum(curves) / sum(cells)
    print(f"few labels: curves / run {ratio:.2f} (at most {MOST:.0f})")
    if ratio > MOST:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
