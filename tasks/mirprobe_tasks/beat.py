"""Beat tracking: when to tap one's foot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from mirprobe.api.dataset import Dataset
from mirprobe.core.bootstrap import Statistic
from mirprobe.core.schema import Annotations, Beats, Floats, Level, Loss
from mirprobe.metrics import beat as metrics
from mirprobe_tasks.common.activation import activation, peak_times
from mirprobe_tasks.common.checks import required, sound_events
from mirprobe_tasks.common.frame_grid import period
from mirprobe_tasks.decoding.dbn import dbn_beats

WIDENING = 0.032
"""Seconds to either side of a beat over which the target falls off, in whole frames."""

MIN_DISTANCE = 0.25
"""Seconds between two picked peaks, at least: 240 beats a minute."""

THRESHOLDS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)
TRANSITION_LAMBDAS = (10.0, 30.0, 100.0, 300.0)


class Beat:
    """Frame-wise beat activation, decoded to beat times.

    The target is 1 on the frame nearest to a beat and falls off linearly over the frames within
    `WIDENING` (madmom and others widen targets alike): 0.5 on one neighbour to either side at
    31.25 Hz; 3/4, 1/2, 1/4 on three at 100 Hz; no neighbour below 15 Hz, where it would be too far
    from the beat to count as one. A beat before the first frame or after the last is on none.

    Decodings: `peak` picks local maxima above a threshold; `dbn` is a bar-pointer model. The first
    `trim` seconds are not scored, as the data set says.
    """

    name = "beat"
    level: Level = "frame"
    annotation = "beats"
    loss: Loss = "multilabel"
    labels: tuple[str, ...] = ("beat",)
    main_metric = "f_measure"
    metrics: Mapping[str, str] = metrics.METRICS
    decodings: Mapping[str, Sequence[Mapping[str, float]]] = {
        "peak": tuple({"threshold": value} for value in THRESHOLDS),
        "dbn": tuple({"transition_lambda": value} for value in TRANSITION_LAMBDAS),
    }

    def __init__(self, dataset: Dataset) -> None:
        self.trim = dataset.trim

    def targets(self, annotations: Annotations, times: Floats | None) -> NDArray[np.float32]:
        """(time, 1) beat activation.

        Raises:
            TrackError: no beats annotation, or times that are negative, unsorted.
        """
        times = required(times, "frame times")
        beats = sound_events(required(annotations.beats, "beats").times, "beat")
        return activation(beats, times, WIDENING)[:, None]

    def decode(
        self,
        logits: NDArray[np.float32],
        times: Floats | None,
        decoding: str,
        parameters: Mapping[str, float],
    ) -> Annotations:
        """Beat times in seconds."""
        times = required(times, "frame times")
        if decoding == "dbn":
            probability = expit(logits[:, 0].astype(np.float64))
            rate = 1 / period(times)
            beats = times[0] + dbn_beats(probability, rate, parameters["transition_lambda"])
        else:
            beats = peak_times(logits[:, 0], times, parameters["threshold"], MIN_DISTANCE)
        return Annotations(beats=Beats(beats))

    def score(
        self, references: Sequence[Annotations], estimates: Sequence[Annotations]
    ) -> dict[str, Statistic]:
        """F-measure, continuity and P-score, mean over pieces."""
        return metrics.corpus_scores(
            [required(track.beats, "beats").times for track in references],
            [required(track.beats, "beats").times for track in estimates],
            trim=self.trim,
        )

    def conditions(self, references: Sequence[Annotations]) -> str:
        """The seconds that are left out at the start of every track."""
        return f"trim={self.trim:.1f}"
