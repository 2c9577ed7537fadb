"""The Task protocol: what to predict from embeddings, and how to score it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mirprobe.api.optional import OptionalMember
from mirprobe.core.bootstrap import Statistic
from mirprobe.core.schema import Annotations, Floats, Level, Loss


class Task(Protocol):
    """What to predict from embeddings, and how to score it. The harness does the probing.

    A plug-in of the entry-point group `mirprobe.tasks` is a class that is built as
    `factory(dataset)`.

    Attributes:
        name: the registered name.
        level: `clip` (one prediction per track) or `frame` (one per token, from that token only).
        annotation: the field of `Annotations`, or the key of `Annotations.extra`, that it needs.
        loss: `multiclass` (softmax over the labels), `multilabel` (one sigmoid per label) or
            `regression` (squared error of one number per label).
        labels: the label space, fixed by the task or the data set, never fitted on a split. Its
            length is the number of logits. In regression, the names of the numbers.
        main_metric: selects learning rate, layer and decoding on the validation split.
        metrics: metric -> its conventions in one line. Higher is better, except where the line
            starts with `breakdown`.
        decodings: decoding -> the parameter grid from which validation chooses (one empty mapping
            where there is nothing to choose).

    Optional members:
        conditions: a method `conditions(references: Sequence[Annotations]) -> str`; default: an
            empty string. It states what else the scores over these tracks depend on, such as
            `trim=5.0` or the tags that no track has. The text is in every row of `scores.csv`. Read
            by `conditions_of`.
        decode_grid: a method `decode_grid(logits, times, decoding, grid) -> list[Annotations]`, one
            estimate for each parameters of `grid`; default: `decode` for each. It may share work
            between parameters. Called by `decode_grid`.
        score_main: a method `score_main(references, estimates) -> Statistic`, equal to the main
            metric of `score`; default: that one. It saves the time of the other metrics while
            validation chooses. Called by `score_main`.
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
            regression: finite float32 in units that the task chooses, of the same shapes.

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
        """Logits of one track, (labels,) or (time, labels), to an annotation in seconds and labels.

        In regression, `logits` are estimates in the units of the targets.
        """
        ...

    def score(
        self, references: Sequence[Annotations], estimates: Sequence[Annotations]
    ) -> dict[str, Statistic]:
        """Every metric over all tracks, as a statistic that can be resampled.

        A statistic that leaves out tracks says how many it scores in an attribute `tracks`, which
        is `n` in `scores.csv`, and which ones in an attribute `weights`, (tracks,), 0 for a track
        that it leaves out. That of `weighted_mean` does both.
        """
        ...


def _no_conditions(references: Sequence[Annotations]) -> str:
    return ""


conditions_of: OptionalMember[Callable[[Sequence[Annotations]], str]] = OptionalMember(
    "conditions", _no_conditions
)
"""The method that states what else the scores of a task depend on."""


def decode_grid(
    task: Task, logits: NDArray[np.float32], times: Floats | None, decoding: str
) -> list[Annotations]:
    """One track, decoded with each parameters of a decoding's grid."""
    grid = task.decodings[decoding]
    own: Callable[..., list[Annotations]] | None = getattr(task, "decode_grid", None)
    if own is not None:
        return own(logits, times, decoding, grid)
    return [task.decode(logits, times, decoding, parameters) for parameters in grid]


def score_main(
    task: Task, references: Sequence[Annotations], estimates: Sequence[Annotations]
) -> Statistic:
    """The main metric over all tracks."""
    own: Callable[..., Statistic] | None = getattr(task, "score_main", None)
    if own is not None:
        return own(references, estimates)
    return task.score(references, estimates)[task.main_metric]
