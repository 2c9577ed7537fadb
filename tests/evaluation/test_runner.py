from __future__ import annotations

import errno
import io
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from helpers.small_encoders import Bands, Failing, Summary
from helpers.tones import Tones
from helpers.workbench import QUICK, Workbench
from torch import Tensor

from mirprobe.api.registry import TASKS
from mirprobe.core.errors import ConfigError, StorageError
from mirprobe.core.schema import SPLITS, Floating, Tokens, Track
from mirprobe.embedding.cache import Entry
from mirprobe.evaluation.run_result import RunResult
from mirprobe.evaluation.runner import run, run_name
from mirprobe.probing import probes
from mirprobe.reporting.cell_file import read_cell

BOTH = ("key", "chord")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(probes.PRESETS, "standard", QUICK)


@pytest.fixture
def bench(tmp_path: Path, tones: Tones) -> Workbench:
    return Workbench(tmp_path, tones)


def scores(result: RunResult) -> bytes:
    return (result.folder.path / "scores.csv").read_bytes()


def main_value(result: RunResult, task: str, **where: Any) -> float:
    rows = result.scores[result.scores["main"] & (result.scores["task"] == task)]
    for name, wanted in where.items():
        rows = rows[rows[name] == wanted]
    return float(rows["value"].iloc[0])


def test_a_second_run_computes_nothing(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    first = bench.run(Bands(), tasks=BOTH)
    assert first.computed == 2
    assert main_value(first, "chord", layer="bands") > 0.9
    assert main_value(first, "chord", layer="noise") < 0.5
    written = (first.folder.path / "run.json").read_bytes()
    before = scores(first)

    def refuse(*args: object, **options: object) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr("mirprobe.evaluation.cells.run_cell", refuse)
    monkeypatch.setattr("mirprobe.evaluation.plan.Embedder.compute", refuse)
    encoder = Bands()
    second = bench.run(encoder, tasks=BOTH)
    # one cached track is encoded again
    assert (second.computed, encoder.calls, second.failures) == (0, 1, {})
    assert scores(second) == before
    pd.testing.assert_frame_equal(second.scores, first.scores)
    assert (first.folder.path / "run.json").read_bytes() == written


def test_embeddings_are_read_when_the_encoder_has_done_its_work(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stays in memory would else lie between the large arrays that an encoder frees."""
    events: list[str] = []
    call, read = Bands.__call__, Entry.read

    def calling(self: Bands, audio: Tensor) -> Tokens:
        events.append("call")
        return call(self, audio)

    def reading(self: Entry, start: int = 0, stop: int | None = None) -> Floating:
        events.append(self.metadata["view"])
        return read(self, start, stop)

    monkeypatch.setattr(Bands, "__call__", calling)
    monkeypatch.setattr(Entry, "read", reading)
    assert not bench.run(Bands(), tasks=BOTH).failures
    calls = events.count("call")
    assert calls >= 24
    assert events[:calls] == ["call"] * calls
    assert events.count("clip") == 24  # each vector once
    assert events.count("frame") > 24


def forget_shared(bench: Workbench) -> None:
    """Delete the cells in the cache."""
    shutil.rmtree(bench.root / "cache" / "cells")


def test_a_deleted_cell_is_computed_again_from_the_cache(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = bench.run(Bands(), tasks=BOTH)
    before = scores(first)
    kept = first.folder.cell_path("Bands", "key")
    stamp = kept.stat().st_mtime_ns
    first.folder.cell_path("Bands", "chord").unlink()
    forget_shared(bench)
    encoder = Bands()
    second = bench.run(encoder, tasks=BOTH)
    assert (second.computed, encoder.calls) == (1, 1)  # one cached track is encoded again
    assert kept.stat().st_mtime_ns == stamp
    assert scores(second) == before


def test_the_same_seed_gives_the_same_bytes(bench: Workbench, tmp_path: Path) -> None:
    here = bench.run(Bands(), tasks=BOTH)
    other = Workbench(tmp_path / "other", bench.dataset)
    there = other.run(Bands(), tasks=BOTH)
    assert scores(there) == scores(here)
    for task in BOTH:
        cells = [result.folder.cell_path("Bands", task) for result in (here, there)]
        assert cells[0].read_bytes() == cells[1].read_bytes()
    different = other.run(Bands(), tasks=BOTH, seeds=[1])
    assert different.folder.path != there.folder.path
    assert scores(different) != scores(there)


def test_the_batch_size_is_that_of_the_calls_and_changes_no_folder(
    bench: Workbench, tmp_path: Path
) -> None:
    class Batches(Bands):
        window: float | None = 1.0

        def __init__(self) -> None:
            super().__init__()
            self.sizes: set[int] = set()

        def __call__(self, audio: Tensor) -> Tokens:
            self.sizes.add(len(audio))
            return super().__call__(audio)

    folders = set()
    for size in (1, 3):
        encoder = Batches()
        own = {"cache_dir": tmp_path / f"cache{size}", "results_dir": tmp_path / f"results{size}"}
        result = bench.run(encoder, batch_size=size, **own)
        folders.add(result.folder.path.name)
        assert size in encoder.sizes
        assert max(encoder.sizes) <= max(size, 4)  # checks of the encoder have their own batches
    assert len(folders) == 1
    with pytest.raises(ConfigError, match="batch_size is 0; it must be at least 1"):
        bench.config("mfcc", batch_size=0)


def test_the_folders_name_is_that_of_the_work(bench: Workbench) -> None:
    config = bench.config("Bands")
    elsewhere = replace(config, cache_dir=Path("x"), results_dir=Path("y"), strict=True)
    assert run_name(elsewhere) == run_name(config)
    assert run_name(config).startswith("tones-standard-linear-")
    for change in ({"seeds": (1,)}, {"limit": 3}, {"tasks": ("beat",)}, {"layers": "thirds"}):
        assert run_name(replace(config, **change)) != run_name(config)


def test_an_encoder_that_fails_leaves_the_others_whole(bench: Workbench) -> None:
    alone = bench.run(Bands())
    result = bench.run(Failing(), Bands())
    assert list(result.failures) == ["Failing"]
    assert "encoder 'Failing' raised RuntimeError: out of ideas" in result.failures["Failing"]
    assert set(result.scores["encoder"]) == {"Bands"}
    assert result.scores["value"].tolist() == alone.scores["value"].tolist()
    description = json.loads((result.folder.path / "run.json").read_text())
    assert description["failures"] == result.failures


def test_finished_cells_of_an_encoder_that_fails_now_are_kept(bench: Workbench) -> None:
    good, bad = Bands(), Failing()
    bad.fingerprint = good.fingerprint
    config = bench.config("x", tasks=BOTH)
    whole = run(config, encoders={"x": good}, dataset=bench.dataset)
    whole.folder.cell_path("x", "chord").unlink()
    forget_shared(bench)
    for entry in (bench.root / "cache" / "entries").rglob("*.safetensors"):
        entry.unlink()
    result = run(config, encoders={"x": bad}, dataset=bench.dataset)
    assert set(result.scores["task"]) == {"key"}
    assert list(result.failures) == ["x"]


def test_an_encoder_without_frames_serves_clip_tasks_alone(bench: Workbench) -> None:
    result = bench.run(Summary(), Bands(), tasks=BOTH)
    assert list(result.failures) == ["Summary x chord"]
    assert "needs frames" in result.failures["Summary x chord"]
    pairs = set(zip(result.scores["encoder"], result.scores["task"], strict=True))
    assert pairs == {("Summary", "key"), ("Bands", "key"), ("Bands", "chord")}
    rows = result.scores[result.scores["kind"] == "probe"]
    assert set(rows[rows["encoder"] == "Summary"]["source"]) == {"class"}


def test_run_json_says_what_was_done(bench: Workbench) -> None:
    encoder = Bands()
    result = bench.run(encoder, limit=4)
    found = json.loads((result.folder.path / "run.json").read_text())
    assert found["config"]["limit"] == 4
    assert found["config"]["encoders"] == ["Bands"]
    assert found["config"]["cache_dir"] == str(bench.root / "cache")
    assert found["splits"] == {split: [f"{split}-{n}" for n in range(4)] for split in SPLITS}
    assert set(result.scores["splits"]) == {found["splits_hash"]}
    for split in SPLITS:
        listed = (result.folder.path / "splits" / f"{split}.txt").read_text().splitlines()
        assert listed == found["splits"][split]
    assert found["encoders"]["Bands"]["fingerprint"] == encoder.fingerprint
    assert set(result.scores["fingerprint"]) == {encoder.fingerprint}
    assert {"mirprobe", "torch", "mir_eval", "python"} <= set(found["versions"])
    assert found["hardware"]["device"]
    assert set(found["seconds"]) == {"Bands"}
    assert result.scores["n"].unique().tolist() == [4]


def test_metrics_can_be_computed_again_from_the_predictions(bench: Workbench) -> None:
    tasks = (*BOTH, "tagging")
    result = bench.run(Bands(), tasks=tasks)
    truth = {track.id: track.annotations for track in bench.dataset.splits()["test"]}
    compared = 0
    for name in tasks:
        task = TASKS.create(name, bench.dataset)
        cell = read_cell(result.folder.cell_path("Bands", name))
        rows = pd.DataFrame(cell.scores).set_index(["kind", "decoding", "layer", "metric"])
        for predicted in cell.predictions:
            where = (predicted.kind, predicted.decoding, predicted.layer)
            tracks = predicted.tracks
            assert set(tracks) == set(truth)
            estimates = list(tracks.values())
            again = task.score([truth[track] for track in tracks], estimates)
            assert set(again) == set(task.metrics)
            for metric, statistic in again.items():
                value = rows.loc[(*where, metric), "value"]
                assert statistic.value() == value
                compared += 1
    # chance is the same predictions held against other tracks
    assert compared == (result.scores["kind"] != "chance").sum()


class Full(Tones):
    """A data set that cannot write its audio."""

    def prepare(self, tracks: Sequence[Track]) -> Iterator[str]:
        raise OSError(errno.ENOSPC, "No space left on device")
        yield ""


def test_a_data_set_that_fails_is_named(bench: Workbench, tmp_path: Path) -> None:
    bench.dataset = Full(tmp_path)
    with pytest.raises(ConfigError, match=r"data set 'tones' cannot make its audio .OSError: .*28"):
        bench.run(Bands())


@pytest.mark.parametrize("folder", ["results", "cache"])
def test_a_folder_that_cannot_be_written_ends_the_run_early(folder: str, bench: Workbench) -> None:
    (bench.root / folder).write_text("in the way")
    encoder = Bands()
    with pytest.raises(StorageError, match=f"{folder}.*--{folder}-dir") as caught:
        bench.run(encoder)
    assert "\n" not in str(caught.value)
    assert encoder.calls == 0


def test_a_disk_that_fills_up_leaves_nothing_half_written(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.run(Bands(), tasks=["key"])

    class Full(io.FileIO):
        def write(self, content: Any) -> int:
            super().write(content[:10])
            raise OSError(errno.ENOSPC, "No space left on device")

    def open_full(path: Path, mode: str = "r", *args: Any, **options: Any) -> Any:
        return Full(path, mode) if mode == "wb" else open(path, mode, *args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", open_full)
        with pytest.raises(StorageError, match="No space left on device"):
            bench.run(Bands(), tasks=BOTH)
    files = {path.name for path in bench.root.rglob("*") if path.is_file()}
    assert not [name for name in files if name.endswith(".tmp") or "chord" in name]
    done = bench.run(Bands(), tasks=BOTH)
    assert (done.computed, done.shared) == (1, 1)
