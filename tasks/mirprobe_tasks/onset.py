"""Onset detection: the starts of notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mirprobe.core.bootstrap import Statistic
from mirprobe.core.schema import Annotations, Floats
from mirprobe.metrics import onset as metrics
from mirprobe_tasks.common.checks import required
from mirprobe_tasks.common.event_detection import EventDetection

THRESHOLDS = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)


class Onset(EventDetection):
    """Frame-wise onset activation, decoded to onset times by peak picking.

    The target is 0.5 on one neighbour on either side at 31.25 Hz; at 25 Hz or less it is not
    widened. Two onsets in one frame or in neighbouring frames are one peak: the ceiling shows the
    loss.
    """

    name = "onset"
    annotation = "onsets"
    labels: tuple[str, ...] = ("onset",)
    metrics: Mapping[str, str] = metrics.METRICS
    decodings: Mapping[str, Sequence[Mapping[str, float]]] = {
        "peak": tuple({"threshold": value} for value in THRESHOLDS),
    }
    widening = 0.02
    min_distance = 0.03  # Böck, Krebs & Schedl, ISMIR 2012

    def times_of(self, annotations: Annotations) -> Floats:
        """(n,) onset times in seconds."""
        return required(annotations.onsets, "onsets")

    def annotations_of(self, times: Floats) -> Annotations:
        """Onsets."""
        return Annotations(onsets=times)

    def corpus_scores(
        self, references: list[Floats], estimates: list[Floats], names: Sequence[str]
    ) -> dict[str, Statistic]:
        """F-measure, precision and recall, mean over tracks."""
        scores = metrics.corpus_scores(references, estimates)
        return {name: scores[name] for name in names}
