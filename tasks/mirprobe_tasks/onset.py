"""Onset detection: when notes start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mirprobe.api.dataset import Dataset
from mirprobe.core.bootstrap import Statistic
from mirprobe.core.schema import Annotations, Floats, Level, Loss
from mirprobe.metrics import onset as metrics
from mirprobe_tasks.common.activation import activation, peak_times
from mirprobe_tasks.common.checks import required, sound_events

WIDENING = 0.02
"""Seconds to either side of an onset over which the target falls off, in whole frames."""

MIN_DISTANCE = 0.03
"""Seconds between two picked peaks, at least (Böck, Krebs & Schedl, ISMIR 2012)."""

THRESHOLDS = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)


class Onset:
    """Frame-wise onset activation, decoded by picking peaks.

    The target is 1 on the frame nearest to an onset and falls off linearly over the frames within
    `WIDENING`: 0.5 on one neighbour to either side at 31.25 Hz, none at 25 Hz or less. Two onsets
    in the same frame or in neighbouring ones are one peak: the ceiling says what that costs.
    """

    name = "onset"
    level: Level = "frame"
    annotation = "onsets"
    loss: Loss = "multilabel"
    labels: tuple[str, ...] = ("onset",)
    main_metric = "f_measure"
    metrics: Mapping[str, str] = metrics.METRICS
    decodings: Mapping[str, Sequence[Mapping[str, float]]] = {
        "peak": tuple({"threshold": value} for value in THRESHOLDS),
    }

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset.name

    def targets(self, annotations: Annotations, times: Floats | None) -> NDArray[np.float32]:
        """(time, 1) onset activation.

        Raises:
            TrackError: no onsets annotation, or times that are negative, unsorted.
        """
        times = required(times, "frame times")
        onsets = sound_events(required(annotations.onsets, "onsets"), "onset")
        return activation(onsets, times, WIDENING)[:, None]

    def decode(
        self,
        logits: NDArray[np.float32],
        times: Floats | None,
        decoding: str,
        parameters: Mapping[str, float],
    ) -> Annotations:
        """Onset times in seconds."""
        times = required(times, "frame times")
        onsets = peak_times(logits[:, 0], times, parameters["threshold"], MIN_DISTANCE)
        return Annotations(onsets=onsets)

    def score(
        self, references: Sequence[Annotations], estimates: Sequence[Annotations]
    ) -> dict[str, Statistic]:
        """F-measure, precision and recall, mean over pieces."""
        return metrics.corpus_scores(
            [required(track.onsets, "onsets") for track in references],
            [required(track.onsets, "onsets") for track in estimates],
        )

    def conditions(self, references: Sequence[Annotations]) -> str:
        """Nothing more."""
        return ""
