"""Labelling of segments of any field of the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from mirprobe.api.dataset import Dataset
from mirprobe.core.bootstrap import Statistic
from mirprobe.core.errors import TrackError
from mirprobe.core.schema import Annotations, Floats, Level, Loss, Segments
from mirprobe.metrics import segments as metrics
from mirprobe_tasks.common.checks import parse_label, required, validate_segments
from mirprobe_tasks.common.fields import checked_tolerance, labels_of
from mirprobe_tasks.common.frame_grid import equal_segments, period
from mirprobe_tasks.common.make_annotations import make_annotations

SMOOTHING = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)


class SegmentLabels:
    """Frame-wise classification into segments of your own, `segments:field=solos,tolerance=0.5`.

    A frame that no segment covers has the class `none`. The decoding averages the logits over
    `smoothing` seconds, chosen on validation, and takes the class with the highest one.
    """

    name = "segments"
    level: Level = "frame"
    annotation = ""
    loss: Loss = "multiclass"
    main_metric = "accuracy"
    metrics: Mapping[str, str] = metrics.METRICS
    decodings: Mapping[str, Sequence[Mapping[str, float]]] = {
        "mean": tuple({"smoothing": value} for value in SMOOTHING),
    }
    positional: tuple[str, ...] = ("field",)

    def __init__(self, dataset: Dataset, field: str, tolerance: float = 0.5) -> None:
        """Find the labels.

        Args:
            dataset: whose tracks have the field.
            field: of `Annotations`, or a key of `Annotations.extra`, that holds `Segments`.
            tolerance: largest distance of a correct boundary, in seconds.

        Raises:
            ConfigError: no track has the field, its values are no segments, or the tolerance is not
                above 0.
        """
        self.annotation = field
        self.tolerance = checked_tolerance(self.name, tolerance)
        found = labels_of(dataset, field, lambda value: _segments(value).labels)
        self.labels = tuple(dict.fromkeys([*found, metrics.NONE]))

    def targets(self, annotations: Annotations, times: Floats | None) -> NDArray[np.int64]:
        """(time,) class of each frame.

        Raises:
            TrackError: the track has no segments, they are malformed, or a label is unknown.
        """
        times, segments = required(times, "frame times"), self._of(annotations)
        if len(segments.labels):
            validate_segments(segments, self.annotation)
        target = np.full(len(times), self.labels.index(metrics.NONE))
        for (start, stop), label in zip(segments.intervals, segments.labels, strict=True):
            inside = (times >= start) & (times < stop)
            target[inside] = parse_label(label, self.labels, self.annotation)
        return target

    def decode(
        self,
        logits: NDArray[np.float32],
        times: Floats | None,
        decoding: str,
        parameters: Mapping[str, float],
    ) -> Annotations:
        """Segments without gaps from the first frame to the last."""
        times = required(times, "frame times")
        size = 2 * round(parameters["smoothing"] / period(times) / 2) + 1
        smooth = uniform_filter1d(logits.astype(np.float64), size, axis=0, mode="nearest")
        found = equal_segments(smooth.argmax(axis=1), times, self.labels)
        return make_annotations({self.annotation: found})

    def score(
        self, references: Sequence[Annotations], estimates: Sequence[Annotations]
    ) -> dict[str, Statistic]:
        """Every metric, mean over the tracks."""
        reference, estimate = map(self._of, references), map(self._of, estimates)
        return metrics.corpus_scores(list(reference), list(estimate), self.tolerance)

    def conditions(self, references: Sequence[Annotations]) -> str:
        """The tolerance of boundaries."""
        return f"tolerance={self.tolerance:g}"

    def _of(self, annotations: Annotations) -> Segments:
        return _segments(required(annotations.get(self.annotation), self.annotation))


def _segments(value: Any) -> Segments:
    if isinstance(value, Segments):
        return value
    raise TrackError(f"{type(value).__name__} is no segments: give Segments")
