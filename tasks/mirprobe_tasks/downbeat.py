"""Downbeat tracking: when bars begin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from mirprobe.api.dataset import Dataset
from mirprobe.core.bootstrap import Statistic
from mirprobe.core.schema import Annotations, Beats, Floats, Level, Loss
from mirprobe.metrics import beat as metrics
from mirprobe_tasks.beat import TRANSITION_LAMBDAS, WIDENING
from mirprobe_tasks.common.activation import activation, peak_times
from mirprobe_tasks.common.checks import required, sound_downbeats
from mirprobe_tasks.common.frame_grid import period
from mirprobe_tasks.decoding.dbn import BARS, dbn_beats

MIN_DISTANCE = 0.6
"""Seconds between two picked peaks, at least: 100 bars a minute."""

THRESHOLDS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.3, 0.5)
"""Below those of beats: a blind guess of how likely a downbeat is must be able to reach one."""


class Downbeat:
    """Frame-wise activation of the beats at position 1, decoded to their times.

    Targets are those of `beat` for these beats alone. A piece whose beats have no positions cannot
    be used; one without a downbeat has nothing to find and is left out of the means.

    Decodings: `peak` picks local maxima above a threshold; `dbn` is the bar-pointer model of `beat`
    at the rates of bars. The first `trim` seconds are not scored, as the data set says.

    Shuffled labels may score above chance: a curve along any direction of an embedding, learned or
    not, peaks where notes start, and downbeats are there more often than not.
    """

    name = "downbeat"
    level: Level = "frame"
    annotation = "beats"
    loss: Loss = "multilabel"
    labels: tuple[str, ...] = ("downbeat",)
    main_metric = "f_measure"
    metrics: Mapping[str, str] = {
        "f_measure": "F-measure of downbeats within 70 ms, mean over pieces",
        "cmlt": "all continuous runs at the annotated metrical level, thresholds 0.175",
        "amlt": "all continuous runs, also at double, half or off-bar level, thresholds 0.175",
    }
    decodings: Mapping[str, Sequence[Mapping[str, float]]] = {
        "peak": tuple({"threshold": value} for value in THRESHOLDS),
        "dbn": tuple({"transition_lambda": value} for value in TRANSITION_LAMBDAS),
    }

    def __init__(self, dataset: Dataset) -> None:
        self.trim = dataset.trim

    def targets(self, annotations: Annotations, times: Floats | None) -> NDArray[np.float32]:
        """(time, 1) downbeat activation.

        Raises:
            TrackError: no beats annotation, times that are negative, unsorted, or positions that
                are missing or not counted from 1.
        """
        times = required(times, "frame times")
        downbeats = sound_downbeats(required(annotations.beats, "beats"))
        return activation(downbeats, times, WIDENING)[:, None]

    def decode(
        self,
        logits: NDArray[np.float32],
        times: Floats | None,
        decoding: str,
        parameters: Mapping[str, float],
    ) -> Annotations:
        """Downbeat times in seconds, each as a beat at position 1."""
        times = required(times, "frame times")
        if decoding == "dbn":
            probability = expit(logits[:, 0].astype(np.float64))
            rate, stiffness = 1 / period(times), parameters["transition_lambda"]
            found = times[0] + dbn_beats(probability, rate, stiffness, BARS)
        else:
            found = peak_times(logits[:, 0], times, parameters["threshold"], MIN_DISTANCE)
        return Annotations(beats=Beats(found, np.ones(len(found), dtype=np.int64)))

    def score(
        self, references: Sequence[Annotations], estimates: Sequence[Annotations]
    ) -> dict[str, Statistic]:
        """F-measure and continuity of the downbeats, mean over pieces."""
        scores = metrics.corpus_scores(
            [sound_downbeats(required(track.beats, "beats")) for track in references],
            [sound_downbeats(required(track.beats, "beats")) for track in estimates],
            trim=self.trim,
        )
        return {name: scores[name] for name in self.metrics}

    def conditions(self, references: Sequence[Annotations]) -> str:
        """The seconds that are left out at the start of every track."""
        return f"trim={self.trim:.1f}"
