"""How many workers a Ray cluster gets, without starting one."""

from __future__ import annotations

from typing import Any

import pytest

ray = pytest.importorskip("ray")
cluster = pytest.importorskip("mirprobe.embedding.ray_cluster")


def test_several_workers_of_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    class Remote:
        def options(self, **options: Any) -> Remote:
            asked.append(options)
            return self

        def remote(self) -> str:
            return "worker"

    resources = {"GPU": 2.0, "CPU": 8.0}
    monkeypatch.setattr(ray, "is_initialized", lambda: True)  # or `start` starts a cluster
    monkeypatch.setattr(ray, "cluster_resources", lambda: resources)
    monkeypatch.setattr(ray, "available_resources", lambda: resources)
    monkeypatch.setattr(ray, "remote", lambda worker: Remote())
    for per_gpu, workers in ((1, 2), (4, 8)):
        own = cluster.RayWorkers("auto", per_gpu)
        own.start()
        assert (own.device, own.actors) == ("cuda", ["worker"] * workers)
    assert [options["num_gpus"] for options in asked] == [1, 0.25]
