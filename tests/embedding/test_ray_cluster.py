"""Encoding on a local Ray cluster of two workers."""

from __future__ import annotations

import logging
import os
import shutil
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from helpers.paths import HELPERS, TESTS
from helpers.small_encoders import Bands
from helpers.tones import Tones
from helpers.workbench import QUICK, Workbench

from mirprobe.core.errors import ConfigError, StorageError
from mirprobe.core.schema import SPLITS, Split, Track
from mirprobe.embedding.cache import Cache
from mirprobe.evaluation.extract import Extraction, Views, extract
from mirprobe.evaluation.runner import run
from mirprobe.probing import probes

ray = pytest.importorskip("ray")
cluster = pytest.importorskip("mirprobe.embedding.ray_cluster")

FILE = HELPERS / "cluster_encoders.py"
PLAIN = f"{FILE}:Plain"


WORKERS = cluster.RayWorkers


@pytest.fixture(scope="module", autouse=True)
def _cluster() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "disabled")  # or it leaves a token in the home folder
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("PYTHONPATH", str(TESTS), prepend=os.pathsep)  # the file imports `helpers`
        ray.init(
            "local",
            num_cpus=2,
            include_dashboard=False,
            object_store_memory=80_000_000,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
        # each process imports torch: one start of them for all tests
        shared = cluster.RayWorkers("auto")
        patch.setattr(shared, "close", lambda: None)
        patch.setattr(cluster, "RayWorkers", lambda *options: shared)
        yield
        WORKERS.close(shared)
        ray.shutdown()


class Distinct(Tones):
    """Tones of which no two have the same audio, and so the same entry."""

    def splits(self) -> Mapping[Split, Sequence[Track]]:
        sizes = {"train": range(12), "valid": range(12, 18), "test": range(18, 24)}
        return {split: [self._track(split, n) for n in sizes[split]] for split in SPLITS}


@pytest.fixture(scope="module")
def distinct(tmp_path_factory: pytest.TempPathFactory) -> Distinct:
    dataset = Distinct(tmp_path_factory.mktemp("distinct"))
    for tracks in dataset.splits().values():
        for _ in dataset.prepare(tracks):
            pass
    return dataset


@pytest.fixture
def bench(tmp_path: Path, distinct: Distinct, monkeypatch: pytest.MonkeyPatch) -> Workbench:
    monkeypatch.setitem(probes.PRESETS, "standard", QUICK)
    return Workbench(tmp_path, distinct)


def fill(
    bench: Workbench, *encoders: str, level: Views | None = "both", **options: Any
) -> Extraction:
    config = bench.config(*encoders, **{"engine": "ray", **options})
    return extract(config, level, dataset=bench.dataset)


def entries(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Cache(folder).entries()}


@pytest.mark.parametrize("name", ["Plain", "Windowed"])
def test_the_entries_are_those_of_the_local_engine(bench: Workbench, name: str) -> None:
    spec = f"{FILE}:{name}"
    done = fill(bench, spec)
    assert (done.tracks, done.encoded, done.failures) == (24, {spec: 24}, {})
    fill(bench, spec, engine="local", cache_dir=bench.root / "other")
    assert entries(bench.root / "cache") == entries(bench.root / "other")
    assert len(entries(bench.root / "cache")) == 48
    assert fill(bench, spec).encoded == {spec: 0}


def test_a_run_is_called_and_scored_as_with_the_local_engine(bench: Workbench) -> None:
    results = [
        run(
            bench.config(
                PLAIN, tasks=["key", "chord"], engine=engine, cache_dir=bench.root / engine
            ),
            dataset=bench.dataset,
        )
        for engine in ("ray", "local")
    ]
    assert results[0].folder.path == results[1].folder.path
    assert [result.computed for result in results] == [2, 0]  # the cells are the same ones
    shutil.rmtree(results[0].folder.path)
    again = run(
        bench.config(PLAIN, tasks=["key", "chord"], cache_dir=bench.root / "local"),
        dataset=bench.dataset,
    )
    assert again.scores.equals(results[0].scores)


DYING = """
import os
import signal
from pathlib import Path

from mirprobe_tasks.key import Key


class Dying(Key):
    def score(self, references, estimates):
        deaths = Path(__file__).with_name("deaths")
        count = len(deaths.read_text()) if deaths.exists() else 0
        if count < TIMES:
            deaths.write_text("x" * (count + 1))
            os.kill(os.getpid(), signal.SIGKILL)
        return super().score(references, estimates)
"""


@pytest.mark.parametrize("times", [1, 2])
def test_a_cell_whose_worker_dies_is_tried_a_second_time(bench: Workbench, times: int) -> None:
    (bench.root / "dying.py").write_text(DYING.replace("TIMES", str(times)))
    tasks = ["key", f"{bench.root}/dying.py:Dying"]
    result = run(bench.config(PLAIN, tasks=tasks, engine="ray"), dataset=bench.dataset)
    scored = set(result.scores["task"])
    if times == 1:
        assert (result.computed, result.failures, scored) == (2, {}, set(tasks))
    else:
        assert (result.computed, scored) == (1, {"key"})
        assert set(result.failures) == {f"{PLAIN} x {tasks[1]}"}
        assert "its worker died twice, perhaps for lack" in result.failures.popitem()[1]


def test_a_worker_that_dies_loses_nothing(bench: Workbench) -> None:
    spec = f"{FILE}:Dying:folder={bench.root}"
    done = fill(bench, spec)
    assert len(list(bench.root.glob("death-*"))) in (1, 2)  # both may come to it at once
    assert (done.encoded, done.failures) == ({spec: 24}, {})
    plain = f"{FILE}:Dying:folder={bench.root},times=0"
    fill(bench, plain, engine="local", cache_dir=bench.root / "other")
    assert set(entries(bench.root / "cache")) == set(entries(bench.root / "other"))
    assert not list(Cache(bench.root / "cache").leftovers())


def test_a_worker_that_is_killed_from_outside(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = 0

    whole = cluster.ClusterEmbedder.fill

    def killing(embedder: Any, *what: Any) -> Iterator[Any]:
        nonlocal taken
        for result in whole(embedder, *what):
            if not taken:
                ray.kill(embedder.workers.actors[0], no_restart=False)
            taken += 1
            yield result

    monkeypatch.setattr(cluster.RayWorkers("auto"), "chunk", 3)
    monkeypatch.setattr(cluster.ClusterEmbedder, "fill", killing)
    done = fill(bench, PLAIN)
    assert (done.encoded, done.failures, taken) == ({PLAIN: 24}, {}, 24)
    assert len(entries(bench.root / "cache")) == 48


def test_an_error_in_a_worker_is_that_of_the_local_engine(bench: Workbench) -> None:
    spec = f"{FILE}:Failing"
    done = fill(bench, spec, PLAIN)
    here = fill(bench, spec, engine="local", cache_dir=bench.root / "other")
    assert done.failures == here.failures
    assert done.failures[spec].startswith(
        f"encoder '{spec}' raised RuntimeError: out of ideas at cluster_encoders.py line "
    )
    assert done.encoded[PLAIN] == 24


def test_of_an_encoder_that_changes_nothing_stays(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(bench, PLAIN)
    before = entries(bench.root / "cache")
    done = fill(bench, f"{FILE}:Growing")
    (failure,) = done.failures.values()
    assert "gave two embeddings of the same window, 100 % apart" in failure
    assert entries(bench.root / "cache") == before


def test_tracks_that_cannot_be_used_are_reported_alike(bench: Workbench) -> None:
    silent = bench.root / "silent.wav"
    soundfile.write(silent, np.zeros(16_000), 16_000)
    splits = {split: list(tracks) for split, tracks in bench.dataset.splits().items()}
    splits["train"][3] = replace(splits["train"][3], audio=silent)
    splits["test"][1] = replace(splits["test"][1], audio=bench.root / "missing.wav")

    class Broken(Tones):
        def splits(self) -> Mapping[Split, Sequence[Track]]:
            return splits

        def prepare(self, tracks: Sequence[Track]) -> Iterator[str]:
            return iter(())

    broken = Workbench(bench.root, Broken(bench.root))
    done = fill(broken, PLAIN)
    here = fill(broken, PLAIN, engine="local", cache_dir=bench.root / "other")
    assert done.problems == here.problems
    assert sorted(done.problems) == ["test-19", "train-3"]
    assert done.encoded == here.encoded == {PLAIN: 22}


def test_what_cannot_be_built_in_a_worker_is_said(bench: Workbench) -> None:
    config = bench.config("Bands", PLAIN, engine="ray")
    done = extract(config, "clip", encoders={"Bands": Bands()}, dataset=bench.dataset)
    assert "encoder 'Bands' cannot be built in a worker on " in done.failures["Bands"]
    assert "unknown encoder 'Bands'" in done.failures["Bands"]
    assert done.encoded[PLAIN] == 24


def test_another_encoder_of_the_same_name_is_refused(bench: Workbench) -> None:
    done = fill(bench, f"{FILE}:Moody")
    (failure,) = done.failures.values()
    assert "its fingerprint differs" in failure


def test_a_cache_that_workers_do_not_share(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(bench.root)
    with pytest.raises(ConfigError, match="needs a --cache-dir that all machines share"):
        fill(bench, PLAIN, cache_dir="memory://apart")
    monkeypatch.setattr(cluster, "LAG", 0.5)
    monkeypatch.setattr(Cache, "exists", lambda self, key: False)
    monkeypatch.setattr(Cache, "get", lambda self, key: None)
    with pytest.raises(StorageError, match="name a --cache-dir that all machines share"):
        fill(bench, PLAIN)


@pytest.mark.parametrize("form", ["{}:{}", "ray://{}:{}"])
def test_a_dead_address_is_refused_at_once(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = form.format(*unused.getsockname())
    monkeypatch.setattr(cluster, "RayWorkers", WORKERS)
    monkeypatch.setattr(cluster.ray, "is_initialized", lambda: False)
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(ConfigError, match=f"no Ray cluster answers at RAY_ADDRESS={address}"):
        fill(bench, PLAIN)


def test_a_cache_at_an_address(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(bench.root)
    address = f"file://{bench.root}/there"
    assert fill(bench, PLAIN, cache_dir=address).encoded == {PLAIN: 24}
    assert len(entries(bench.root / "there")) == 48
    fill(bench, PLAIN, engine="local", cache_dir=bench.root / "other")
    assert entries(bench.root / "there") == entries(bench.root / "other")


def test_a_gpu_that_the_cluster_lacks(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mirprobe.evaluation.plan.find_device", lambda name: "cpu")
    monkeypatch.setattr(cluster, "RayWorkers", WORKERS)
    with pytest.raises(ConfigError, match="the Ray cluster has no GPU; give --device auto"):
        fill(bench, PLAIN, device="cuda")


def test_an_encoder_that_always_kills_its_worker_ends_there(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last of them: it leaves workers that are tried again but once."""
    cluster.RayWorkers("auto").stop()
    monkeypatch.setattr(cluster, "RETRIES", 1)
    spec = f"{FILE}:Dying:folder={bench.root},times=99"
    done = fill(bench, spec, PLAIN)
    assert list(done.failures) == [spec]
    assert done.failures[spec].startswith(f"encoder '{spec}': its worker died 2 times")
    assert done.encoded[PLAIN] == 24
