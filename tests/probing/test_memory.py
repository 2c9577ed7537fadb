"""What a cell takes in memory and on the disk: neither clip vectors nor logits stay in memory."""

from __future__ import annotations

import errno
import os
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.in_memory import InMemory
from helpers.stub_task import LABELS, StubTask
from numpy.typing import NDArray

from mirprobe.core.confidence_intervals import ROWS
from mirprobe.core.errors import StorageError
from mirprobe.core.schema import SPLITS, Annotations, Embedding, Floating, Floats, Split, Track
from mirprobe.probing import batches, logits, probe_rows
from mirprobe.probing.cell import run_cell
from mirprobe.probing.probe_run import ProbeRun
from mirprobe.probing.probes import AdamWConfig, Fit, Probes
from mirprobe.probing.results import Cell
from mirprobe.probing.scoring import Scorer
from mirprobe.probing.scratch import scratch
from mirprobe.probing.split_data import SplitData

CONFIG = AdamWConfig(
    None, (0.01, 0.03, 0.1), 0.01, {"clip": 16, "frame": 256}, 2, None, 0, standardise=False
)
ROW = {name: name for name in ("encoder", "task", "dataset", "probe", "preset")} | {
    name: name for name in ("fingerprint", "splits", "cell")
}
LAYERS = tuple(map(str, range(12)))


@dataclass(frozen=True)
class Lazy:
    """Frames that are made when they are read."""

    shape: tuple[int, ...]

    def read(self, start: int = 0, stop: int | None = None) -> Floating:
        rows = np.arange(self.shape[0], dtype=np.float32)[start:stop]
        return np.sin(rows[:, None, None] + np.zeros(self.shape[1:], np.float32))


class Forgetful(StubTask):
    """Keeps no logits."""

    def decode(self, *given: Any) -> Annotations:
        estimate = super().decode(*given)
        self.decoded.clear()
        return estimate


def peak(task: StubTask, run: ProbeRun, count: int) -> int:
    """Bytes at most during a cell whose splits have `count` tracks each."""
    shape = (1500, len(run.layers), 4) if task.level == "frame" else (1, 3, len(run.layers), 192)

    def tracks(split: Split) -> Iterator[tuple[Track, Embedding]]:
        for number in range(count):
            name = f"{split}-{number}"
            track = Track(name, Path(name), name, Annotations(key=LABELS[number % 3]))
            if task.level == "frame":
                yield track, Embedding(None, Lazy(shape), 1000.0)
            else:
                yield track, Embedding(np.full(shape, number % 3, np.float16), None, 1000.0)

    tracemalloc.start()
    try:
        run_cell(task, {split: tracks(split) for split in SPLITS}, run)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_of_a_frame_cell_does_not_grow_with_the_logits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """12 layers, 8 seeds and 3 labels: the logits of a frame take 1.2 kB."""
    run = ProbeRun(LAYERS, ("sequence",), 2.0, CONFIG, tuple(range(8)), ROW, folder=tmp_path)
    monkeypatch.setattr(batches, "BUFFER_BYTES", 1 << 16)
    monkeypatch.setattr(logits, "WRITE_BYTES", 1 << 20)
    few, many = (peak(Forgetful("frame"), run, count) for count in (3, 12))
    more = 9 * 1500 * 12 * 8 * 3 * 4  # logits of one split, 16 MB
    assert many - few < more / 6
    assert not list(tmp_path.iterdir())


def test_memory_of_a_clip_cell_does_not_grow_with_the_vectors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """4 layers x 3 sources x 192 numbers: the vectors of a clip take 9 kB."""
    monkeypatch.setattr(batches, "BUFFER_BYTES", 1 << 20)
    monkeypatch.setattr(logits, "WRITE_BYTES", 1 << 18)
    sources = ("sequence", "class", "both")
    run = ProbeRun(LAYERS[:4], sources, None, CONFIG, (0,), ROW, folder=tmp_path)
    few, many = (peak(Forgetful("clip"), run, count) for count in (240, 480))
    vectors, counts = 3 * 240 * 4 * 3 * 192 * 4, 240 * ROWS * 8 * 4  # counts: of the jackknife
    assert many - few < vectors / 4 + counts
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("size", [1, 1000, 8 << 20])
@pytest.mark.parametrize("length", [1, 3, 100])
def test_stored_logits_are_those_of_the_probes(
    size: int, length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the bit, whatever is written or read at once."""
    monkeypatch.setattr(logits, "WRITE_BYTES", size)
    monkeypatch.setattr(logits, "READ", length)
    rng = np.random.default_rng(0)
    frames = [rng.normal(size=(n, 4, 5)).astype(np.float32) for n in (1, 7, 0, 1, 1, 40, 2)]
    targets: list[NDArray[Any]] = [np.zeros(len(own), int) for own in frames]
    layers = [torch.randn(4, 2, 5, 3), torch.randn(4, 2, 3)]
    fits = [[Fit(0.1, 0.0, 1, True, False)] * 2] * 4
    probes = Probes(layers, fits, (torch.zeros(()), torch.ones(())))
    times: list[Floats | None] = [np.arange(len(own)) / 2 for own in frames]
    split = SplitData([], [], times, [InMemory(own) for own in frames], targets, [])
    with scratch() as room, torch.no_grad():
        scorer = Scorer(StubTask("frame"), split, split, ROW, (0, 1), Cell("", "", ""), room)
        kept = probe_rows._predict(scorer, split, probes, probe_rows.every_variant)
        assert list(kept) == list(np.ndindex(4, 2))
        for (variant, seed), stored in kept.items():
            for _ in range(2):  # they are read more than once
                for own, found in zip(frames, stored, strict=True):
                    wanted = np.zeros((0, 3), np.float32)
                    if len(own):
                        wanted = probes.outputs(torch.from_numpy(own)).numpy()
                        wanted = wanted[variant, :, seed]
                    np.testing.assert_array_equal(found, wanted)


def test_a_disk_that_fills_ends_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    run = ProbeRun(LAYERS, ("sequence",), 2.0, CONFIG, (0,), ROW, folder=tmp_path)
    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(StorageError, match=rf"{tmp_path}: cannot be written \(No space left"):
        peak(Forgetful("frame"), run, 3)
    with pytest.raises(StorageError, match=r"nowhere: cannot be written \(No such file"):
        peak(Forgetful("frame"), replace(run, folder=tmp_path / "nowhere"), 3)


def test_writes_that_the_disk_takes_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda file, data, place: write(file, data[:7], place))
    array = np.random.default_rng(0).normal(size=(5, 3, 2)).astype(np.float32)
    with scratch() as room:
        room.keep(array + 1)
        stored = room.keep(array)
        assert stored.shape == array.shape
        np.testing.assert_array_equal(stored.read(), array)
        np.testing.assert_array_equal(stored.read(1, 3), array[1:3])
        np.testing.assert_array_equal(stored.read(4, 9), array[4:])
