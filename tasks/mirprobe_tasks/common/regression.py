"""Clip regression: what tasks with one or more numbers a track share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mirprobe.api.dataset import Dataset
from mirprobe.core.bootstrap import Statistic, mean
from mirprobe.core.schema import Annotations, Floats, Level, Loss
from mirprobe.metrics.regression import r2


class ClipRegression:
    """Numbers of a track. A subclass declares the attributes and how annotations hold numbers.

    The main metric weights all numbers equally.

    Attributes:
        name: of the task.
        annotation: the field of `Annotations`, or the key of `Annotations.extra`.
        labels: names of the numbers.
        metrics: `r2`, and `r2_NAME` for each number if there are several.
    """

    name: str
    level: Level = "clip"
    annotation: str
    loss: Loss = "regression"
    labels: tuple[str, ...]
    main_metric = "r2"
    metrics: Mapping[str, str]
    decodings: Mapping[str, Sequence[Mapping[str, float]]] = {"numbers": ({},)}

    def __init__(self, dataset: Dataset) -> None:
        pass  # the label space is the same for every data set

    def numbers_of(self, annotations: Annotations) -> Sequence[float]:
        """The numbers of a track.

        Raises:
            TrackError: there are none, or one is not finite.
        """
        raise NotImplementedError

    def annotations_of(self, numbers: Sequence[float]) -> Annotations:
        """The annotations that hold these numbers."""
        raise NotImplementedError

    def targets(self, annotations: Annotations, times: Floats | None) -> NDArray[np.float32]:
        """(labels,) the numbers of the track.

        Raises:
            TrackError: there are none, or one is not finite.
        """
        return np.array(self.numbers_of(annotations), dtype=np.float32)

    def decode(
        self,
        logits: NDArray[np.float32],
        times: Floats | None,
        decoding: str,
        parameters: Mapping[str, float],
    ) -> Annotations:
        """The numbers as estimated."""
        return self.annotations_of(logits.tolist())

    def score(
        self, references: Sequence[Annotations], estimates: Sequence[Annotations]
    ) -> dict[str, Statistic]:
        """Coefficients of determination over the tracks."""
        reference, estimate = (
            np.array([self.numbers_of(track) for track in tracks], dtype=np.float64)
            for tracks in (references, estimates)
        )  # (tracks, labels)
        each = [r2(reference[:, i], estimate[:, i]) for i in range(len(self.labels))]
        if len(each) == 1:
            return {"r2": each[0]}
        named = {f"r2_{name}": one for name, one in zip(self.labels, each, strict=True)}
        return {"r2": mean(each), **named}
