"""Event detection: what tasks share whose probe learns one activation curve, decoded to times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from mirprobe.api.dataset import Dataset
from mirprobe.core.bootstrap import Statistic
from mirprobe.core.schema import Annotations, Floats, Level, Loss
from mirprobe_tasks.common.activation import activation, peak_times
from mirprobe_tasks.common.checks import required, validate_events
from mirprobe_tasks.common.frame_grid import period
from mirprobe_tasks.decoding.dbn import BEATS, Pulse, dbn_beats


class EventDetection:
    """Frame-wise activation of one kind of event. A subclass declares the attributes.

    The target is 1 on the frame nearest to an event and falls off linearly over the frames within
    `widening`. An event before the first frame or after the last is on no frame.

    Decodings: `peak` picks local maxima above a threshold; `dbn` is a bar-pointer model.

    Attributes:
        name: of the task.
        annotation: the field of `Annotations` that holds the events.
        labels: the one kind of event, as messages name it.
        metrics: as `Task.metrics`.
        decodings: grids of `threshold` for `peak`, and of `transition_lambda` for `dbn`.
        widening: seconds on either side of an event over which the target falls off.
        min_distance: least seconds between two picked peaks.
        pulse: range of tempi of `dbn`.
        trim: seconds at the start of every track that are not scored.
    """

    name: str
    level: Level = "frame"
    annotation: str
    loss: Loss = "multilabel"
    labels: tuple[str, ...]
    main_metric: str = "f_measure"
    metrics: Mapping[str, str]
    decodings: Mapping[str, Sequence[Mapping[str, float]]]
    widening: float
    min_distance: float
    pulse: Pulse = BEATS

    def __init__(self, dataset: Dataset) -> None:
        self.trim = dataset.trim

    def times_of(self, annotations: Annotations) -> Floats:
        """(n,) times of the events in seconds.

        Raises:
            TrackError: the track has no such annotation.
        """
        raise NotImplementedError

    def annotations_of(self, times: Floats) -> Annotations:
        """The annotations that hold these events."""
        raise NotImplementedError

    def corpus_scores(
        self, references: list[Floats], estimates: list[Floats], names: Sequence[str]
    ) -> dict[str, Statistic]:
        """The metrics called `names` over the event times of all tracks."""
        raise NotImplementedError

    def targets(self, annotations: Annotations, times: Floats | None) -> NDArray[np.float32]:
        """(time, 1) activation of the event.

        Raises:
            TrackError: the track has no such annotation, or it is malformed.
        """
        events = validate_events(self.times_of(annotations), self.labels[0])
        return activation(events, required(times, "frame times"), self.widening)[:, None]

    def decode(
        self,
        logits: NDArray[np.float32],
        times: Floats | None,
        decoding: str,
        parameters: Mapping[str, float],
    ) -> Annotations:
        """Event times in seconds."""
        return self.decode_grid(logits, times, decoding, [parameters])[0]

    def decode_grid(
        self,
        logits: NDArray[np.float32],
        times: Floats | None,
        decoding: str,
        grid: Sequence[Mapping[str, float]],
    ) -> list[Annotations]:
        """Event times in seconds for each parameters of a grid."""
        times = required(times, "frame times")
        curve = logits[:, 0].astype(np.float64)
        if decoding == "dbn":
            lambdas = [parameters["transition_lambda"] for parameters in grid]
            found = dbn_beats(expit(curve), 1 / period(times), lambdas, self.pulse)
            events = [times[0] + seconds for seconds in found]
        else:
            thresholds = [parameters["threshold"] for parameters in grid]
            events = peak_times(curve, times, thresholds, self.min_distance)
        return [self.annotations_of(seconds) for seconds in events]

    def score(
        self, references: Sequence[Annotations], estimates: Sequence[Annotations]
    ) -> dict[str, Statistic]:
        """Every metric, mean over the tracks."""
        return self._scores(references, estimates, tuple(self.metrics))

    def score_main(
        self, references: Sequence[Annotations], estimates: Sequence[Annotations]
    ) -> Statistic:
        """The main metric, mean over the tracks."""
        return self._scores(references, estimates, [self.main_metric])[self.main_metric]

    def _scores(
        self,
        references: Sequence[Annotations],
        estimates: Sequence[Annotations],
        names: Sequence[str],
    ) -> dict[str, Statistic]:
        return self.corpus_scores(
            [self.times_of(track) for track in references],
            [self.times_of(track) for track in estimates],
            names,
        )
