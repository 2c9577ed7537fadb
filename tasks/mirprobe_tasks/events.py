"""Detection of events of any field of the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mirprobe.api.dataset import Dataset
from mirprobe.core.bootstrap import Statistic, weighted_mean
from mirprobe.core.errors import TrackError
from mirprobe.core.schema import Annotations, Beats, Floats, Level, Loss
from mirprobe.metrics.events import labelled_event_scores
from mirprobe_tasks.common.activation import activation, peak_times
from mirprobe_tasks.common.checks import required, validate_events
from mirprobe_tasks.common.fields import checked_tolerance, labels_of
from mirprobe_tasks.common.make_annotations import make_annotations
from mirprobe_tasks.onset import THRESHOLDS

UNLABELLED = "event"
"""The label of events that have none."""

WIDENING, MIN_DISTANCE = 0.4, 0.6
"""Fall-off of the target and least distance of peaks, in tolerances: those of `onset`."""


class Events:
    """Frame-wise detection of events of your own, `events:field=claps,tolerance=0.05`.

    A field is an array of times, `Beats`, or a mapping of labels to such times. There is one
    activation curve a label, decoded by peak picking as in `onset`; `events:field=onsets` is that
    task. An estimate is correct if it lies within the tolerance of a reference of the same label.
    """

    name = "events"
    level: Level = "frame"
    annotation = ""
    loss: Loss = "multilabel"
    main_metric = "f_measure"
    metrics: Mapping[str, str] = {
        "f_measure": "F-measure of events within the tolerance, mean over pieces",
        "precision": "fraction of estimated events that are correct, mean over pieces",
        "recall": "fraction of reference events that are found, mean over pieces",
    }
    decodings: Mapping[str, Sequence[Mapping[str, float]]] = {
        "peak": tuple({"threshold": value} for value in THRESHOLDS),
    }
    positional: tuple[str, ...] = ("field",)

    def __init__(self, dataset: Dataset, field: str, tolerance: float = 0.05) -> None:
        """Find the labels.

        Args:
            dataset: whose tracks have the field.
            field: of `Annotations`, or a key of `Annotations.extra`.
            tolerance: largest distance of a correct event, in seconds.

        Raises:
            ConfigError: no track has the field, its values are no events, or the tolerance is not
                above 0.
        """
        self.annotation = field
        self.tolerance = checked_tolerance(self.name, tolerance)
        self.labels = labels_of(dataset, field, _by_label)

    def targets(self, annotations: Annotations, times: Floats | None) -> NDArray[np.float32]:
        """(time, labels) activation of each label.

        Raises:
            TrackError: the track has no events, they are malformed, or a label is unknown.
        """
        events, times = self._events(annotations), required(times, "frame times")
        if unknown := sorted(set(events) - set(self.labels)):
            raise TrackError(f"{self.annotation}: label '{unknown[0]}' is not in the vocabulary")
        nothing = np.empty(0)
        curves = [
            activation(
                validate_events(events.get(label, nothing), label),
                times,
                WIDENING * self.tolerance,
            )
            for label in self.labels
        ]
        return np.stack(curves, axis=1)

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
        thresholds = [parameters["threshold"] for parameters in grid]
        distance = MIN_DISTANCE * self.tolerance
        curves = logits.T.astype(np.float64)
        found = [peak_times(curve, times, thresholds, distance) for curve in curves]
        return [self._annotations([one[index] for one in found]) for index in range(len(grid))]

    def _annotations(self, found: Sequence[Floats]) -> Annotations:
        value: Any = {
            label: Beats(one) for label, one in zip(self.labels, found, strict=True) if len(one)
        }
        if self.annotation == "onsets":
            value = found[0]
        elif self.labels == (UNLABELLED,):
            value = Beats(found[0])
        return make_annotations({self.annotation: value})

    def score(
        self, references: Sequence[Annotations], estimates: Sequence[Annotations]
    ) -> dict[str, Statistic]:
        """Every metric, mean over the tracks that have a reference event."""
        pairs = [
            (self._events(reference), self._events(estimate))
            for reference, estimate in zip(references, estimates, strict=True)
        ]
        pieces = [labelled_event_scores(*pair, self.tolerance) for pair in pairs]
        weights = [float(any(map(len, reference.values()))) for reference, _ in pairs]
        return {
            name: weighted_mean([piece[column] for piece in pieces], weights)
            for column, name in enumerate(self.metrics)
        }

    def conditions(self, references: Sequence[Annotations]) -> str:
        """The tolerance."""
        return f"tolerance={self.tolerance:g}"

    def _events(self, annotations: Annotations) -> dict[str, Floats]:
        return _by_label(required(annotations.get(self.annotation), self.annotation))


def _by_label(value: Any) -> dict[str, Floats]:
    """Label -> (n,) times in seconds.

    Raises:
        TrackError: the value is no events.
    """
    parts = value if isinstance(value, Mapping) else {UNLABELLED: value}
    times = {
        label: np.asarray(part.times if isinstance(part, Beats) else part)
        for label, part in parts.items()
    }
    if any(one.dtype.kind not in "fiu" or one.ndim != 1 for one in times.values()):
        raise TrackError(
            f"{type(value).__name__} is no events: give an array of times, Beats, or a mapping of "
            "labels to them"
        )
    return {label: one.astype(np.float64) for label, one in times.items()}
