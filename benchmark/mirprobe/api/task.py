"""The Task protocol: what a plug-in says of itself; the probing belongs to the harness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mirprobe.core.bootstrap import Statistic
from mirprobe.core.schema import Annotations, Floats, Level, Loss


class Task(Protocol):
    """What to predict from embeddings and how to score it.

    A plug-in of the entry-point group `mirprobe.tasks` is a class built as `factory(dataset)`.

    Attributes:
        name: the registered name.
        level: `clip` (one prediction a track) or `frame` (one a token, from that token alone).
        annotation: the field of `Annotations` that it needs.
        loss: `multiclass` (softmax over the labels), `multilabel` (a sigmoid each) or
            `regression` (a number each, by squared error).
        labels: the label space, fixed by the task or the data set's declaration, never fitted
            on a split; its length is the number of logits. In regression, names of the numbers.
        main_metric: selects learning rate, layer and decoding on the validation split.
        metrics: metric -> its conventions in one line; higher is better, except where the line
            begins with `breakdown`.
        decodings: decoding -> the parameter grid that validation chooses from (one empty
            mapping where there is nothing to choose).
    """

    name: str
    level: Level
    annotation: str
    loss: Loss
    labels: tuple[str, ...]
    main_metric: str
    metrics: Mapping[str, str]
    decodings: Mapping[str, Sequence[Mapping[str, float]]]

    def targets(self, annotations: Annotations, times: Floats | None) -> NDArray[Any]:
        """What the probe learns.

        Args:
            annotations: the reference of one track.
            times: (time,) centre of each frame in seconds; None for clip tasks.

        Returns:
            multiclass: int64 class index, shape () or (time,), -1 where the label is outside the
            label space. multilabel: float32 in [0, 1], shape (labels,) or (time, labels).
            regression: finite float32 in units of the task's choice, shaped alike.

        Raises:
            TrackError: the annotation is malformed; the message says how.
        """
        ...

    def decode(
        self,
        logits: NDArray[np.float32],
        times: Floats | None,
        decoding: str,
        parameters: Mapping[str, float],
    ) -> Annotations:
        """Logits of one track, (labels,) or (time, labels), to an annotation in seconds/labels.

        In regression they are no logits but estimates, in the units of the targets.
        """
        ...

    def score(
        self, references: Sequence[Annotations], estimates: Sequence[Annotations]
    ) -> dict[str, Statistic]:
        """Every metric over the corpus of tracks, as a statistic that can be resampled."""
        ...

    def conditions(self, references: Sequence[Annotations]) -> str:
        """What else scores over these tracks depend on; it stands in every row.

        Such as `trim=5.0`, or the tags that no track has; empty where there is nothing to say.
        """
        ...
