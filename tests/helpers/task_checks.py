"""What tests of all tasks share: a data set's declarations, frame times, references as logits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from mirprobe.api.dataset import Dataset
from mirprobe.api.task import Task
from mirprobe.core.schema import Annotations, Floats

NOTHING: dict[str, float] = {}


def declared(
    trim: float = 0.0, vocabularies: Mapping[str, tuple[str, ...]] | None = None
) -> Dataset:
    """A data set of which tasks may read what it declares, and nothing else."""
    values: dict[str, Any] = {"name": "stub", "tags": (), "trim": trim}
    if vocabularies is not None:
        values["vocabularies"] = vocabularies
    return cast(Dataset, SimpleNamespace(**values))


def grid(rate: float, seconds: float = 24.0) -> Floats:
    """Centres of frames in seconds."""
    return np.arange(int(seconds * rate)) / rate


def certain(target: NDArray[np.float32]) -> NDArray[np.float32]:
    """Activations as logits, log odds."""
    clipped = target.clip(1e-5, 1 - 1e-5)
    return np.asarray(np.log(clipped / (1 - clipped)), dtype=np.float32)


def scored(
    task: Task, references: Sequence[Annotations], estimates: Sequence[Annotations]
) -> dict[str, float]:
    """Every metric over the tracks."""
    found = task.score(references, estimates)
    assert set(found) == set(task.metrics)
    return {name: value.value() for name, value in found.items()}


def ceiling(
    task: Task, reference: Annotations, rate: float, seconds: float, decoding: str = "peak"
) -> dict[str, float]:
    """The reference as an estimate on a grid, with the parameters that serve it best."""
    times = grid(rate, seconds)
    logits = certain(task.targets(reference, times))
    estimates = [task.decode(logits, times, decoding, p) for p in task.decodings[decoding]]
    scores = [scored(task, [reference], [estimate]) for estimate in estimates]
    return max(scores, key=lambda found: found[task.main_metric])


def as_a_task(task: Task) -> None:
    """It declares itself as the protocol asks."""
    assert len(set(task.labels)) == len(task.labels)
    assert task.main_metric in task.metrics
    assert all(task.decodings.values())
