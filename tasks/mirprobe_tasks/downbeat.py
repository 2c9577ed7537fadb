"""Downbeat tracking: the first beat of each bar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mirprobe.core.schema import Annotations, Beats, Floats
from mirprobe_tasks.beat import TRANSITION_LAMBDAS, Beat
from mirprobe_tasks.common.checks import required, validate_downbeats
from mirprobe_tasks.decoding.dbn import BARS

THRESHOLDS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.3, 0.5)
"""Lower than those of `beat`, since downbeats are rarer: the chance baseline must reach one."""


class Downbeat(Beat):
    """Frame-wise downbeat activation, decoded to downbeat times.

    Targets, decodings and metrics are those of `beat`, on downbeats only; `dbn` uses the rates of
    bars. A track whose beats have no positions cannot be used. A track without a downbeat is left
    out of the means.

    Shuffled labels may score above chance: any direction of an embedding, trained or not, peaks
    where notes start, and downbeats coincide with note starts more often than not.
    """

    name = "downbeat"
    labels: tuple[str, ...] = ("downbeat",)
    metrics: Mapping[str, str] = {
        "f_measure": "F-measure of downbeats within 70 ms, mean over pieces",
        "cmlt": "all continuously correct segments, annotated metrical level, thresholds 0.175",
        "amlt": "as cmlt, also at double or half rate and shifted by half a bar",
    }
    decodings: Mapping[str, Sequence[Mapping[str, float]]] = {
        "peak": tuple({"threshold": value} for value in THRESHOLDS),
        "dbn": tuple({"transition_lambda": value} for value in TRANSITION_LAMBDAS),
    }
    min_distance = 0.6  # 100 bars per minute
    pulse = BARS

    def times_of(self, annotations: Annotations) -> Floats:
        """(n,) downbeat times in seconds.

        Raises:
            TrackError: there are no beats, the beats are not increasing, or their positions are
                missing or not counted from 1.
        """
        return validate_downbeats(required(annotations.beats, "beats"))

    def annotations_of(self, times: Floats) -> Annotations:
        """Beats at position 1."""
        return Annotations(beats=Beats(times, np.ones(len(times), dtype=np.int64)))
