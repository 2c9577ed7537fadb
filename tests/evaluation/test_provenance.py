"""What a cell's key covers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from mirprobe.core.schema import SPLITS
from mirprobe.evaluation.config import RunConfig
from mirprobe.evaluation.provenance import cell_key
from mirprobe.evaluation.setup import ProbedEncoder


class First:
    name, annotation, labels = "task", "key", ("C major",)
    metrics, decodings = {"m": "one"}, {"argmax": [{"x": 1.0}]}


class Second:
    name, annotation, labels = "task", "key", ("C major",)
    metrics, decodings = {"m": "one"}, {"argmax": [{"x": 1.0}]}  # as it was edited


def key(task: object) -> str:
    encoder = SimpleNamespace(fingerprint="f", sources=("sequence",), frame_rate=10.0)
    tracks: Any = {split: [] for split in SPLITS}
    probed = ProbedEncoder("e", "e", cast(Any, encoder), ("layer",), None)
    return cell_key(RunConfig(), tracks, str, probed, cast(Any, task))


def test_what_a_task_inherits_is_part_of_its_code() -> None:
    def heir(base: type) -> object:
        class Heir(base):  # type: ignore[misc]
            pass

        return Heir()

    assert key(heir(First)) == key(heir(First))
    assert key(heir(First)) != key(heir(Second))
