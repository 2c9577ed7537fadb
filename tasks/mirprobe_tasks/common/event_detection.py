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
        self, references: list[Floats], estimates: list[Floats]
    ) -> dict[str, Statistic]:
        """Metrics over the event times of all tracks, those of `metrics` among them."""
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
        times = required(times, "frame times")
        if decoding == "dbn":
            probability = expit(logits[:, 0].astype(np.float64))
            stiffness = parameters["transition_lambda"]
            events = times[0] + dbn_beats(probability, 1 / period(times), stiffness, self.pulse)
        else:
            events = peak_times(logits[:, 0], times, parameters["threshold"], self.min_distance)
        return self.annotations_of(events)

    def score(
        self, references: Sequence[Annotations], estimates: Sequence[Annotations]
    ) -> dict[str, Statistic]:
        """Every metric, mean over the tracks."""
        scores = self.corpus_scores(
            [self.times_of(track) for track in references],
            [self.times_of(track) for track in estimates],
        )
        return {name: scores[name] for name in self.metrics}
