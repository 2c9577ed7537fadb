"""A task over three made-up keys that can do anything a plug-in may do, and counts its calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mirprobe.core.bootstrap import Statistic, weighted_mean
from mirprobe.core.errors import TrackError
from mirprobe.core.schema import Annotations, Floats, Level, Loss

LABELS = ("a", "b", "c")
Decodings = Mapping[str, Sequence[Mapping[str, float]]]

PLAIN: Decodings = {"shift": ({"by": 0},)}


class StubTask:
    """Finds `Annotations.key`, the same in every frame; an estimate is the most frequent one.

    The decoding `shift` adds the parameter `by` to the class.
    """

    name = "stub"
    annotation = "key"
    loss: Loss = "multiclass"
    labels: tuple[str, ...] = LABELS
    main_metric = "accuracy"
    metrics: Mapping[str, str] = {"accuracy": "share of tracks", "breakdown_c": "breakdown"}

    def __init__(self, level: Level = "clip", decodings: Decodings = PLAIN) -> None:
        self.level: Level = level
        self.decodings = decodings
        self.decoded: list[NDArray[np.float32]] = []

    def targets(self, annotations: Annotations, times: Floats | None) -> NDArray[Any]:
        if annotations.key not in self.labels:
            raise TrackError(f'key "{annotations.key}": write one of {", ".join(self.labels)}')
        target = np.array(self.labels.index(annotations.key))
        return target if times is None else np.full(len(times), target)

    def decode(
        self,
        logits: NDArray[np.float32],
        times: Floats | None,
        decoding: str,
        parameters: Mapping[str, float],
    ) -> Annotations:
        self.decoded.append(logits)
        assert logits.shape == ((3,) if times is None else (len(times), 3))
        votes = np.bincount(np.atleast_1d(logits.argmax(axis=-1)), minlength=3)
        return Annotations(key=self.labels[int(votes.argmax() + parameters["by"]) % 3])

    def score(
        self, references: Sequence[Annotations], estimates: Sequence[Annotations]
    ) -> dict[str, Statistic]:
        pairs = [(r.key, e.key) for r, e in zip(references, estimates, strict=True)]
        return {
            "accuracy": weighted_mean([float(found == wanted) for wanted, found in pairs]),
            "breakdown_c": weighted_mean([float(found == "c") for _, found in pairs]),
        }

    def conditions(self, references: Sequence[Annotations]) -> str:
        return f"{len(references)} references"
