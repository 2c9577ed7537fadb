"""Beat tracking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mirprobe.core.bootstrap import Statistic
from mirprobe.core.schema import Annotations, Beats, Floats
from mirprobe.metrics import beat as metrics
from mirprobe_tasks.common.checks import required
from mirprobe_tasks.common.event_detection import EventDetection

THRESHOLDS = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)
TRANSITION_LAMBDAS = (3.0, 10.0, 30.0, 100.0, 300.0)


class Beat(EventDetection):
    """Frame-wise beat activation, decoded to beat times.

    The target is widened as in madmom: at 31.25 Hz to 0.5 on one neighbour on either side; at
    100 Hz to 3/4, 1/2, 1/4 on three. Below 15 Hz no neighbour is close enough to count as the beat.
    The first `trim` seconds of each track are not scored; the data set declares them.
    """

    name = "beat"
    annotation = "beats"
    labels: tuple[str, ...] = ("beat",)
    metrics: Mapping[str, str] = metrics.METRICS
    decodings: Mapping[str, Sequence[Mapping[str, float]]] = {
        "peak": tuple({"threshold": value} for value in THRESHOLDS),
        "dbn": tuple({"transition_lambda": value} for value in TRANSITION_LAMBDAS),
    }
    widening = 0.032
    min_distance = 0.25  # 240 beats per minute

    def times_of(self, annotations: Annotations) -> Floats:
        """(n,) beat times in seconds."""
        return required(annotations.beats, "beats").times

    def annotations_of(self, times: Floats) -> Annotations:
        """Beats without positions."""
        return Annotations(beats=Beats(times))

    def corpus_scores(
        self, references: list[Floats], estimates: list[Floats], names: Sequence[str]
    ) -> dict[str, Statistic]:
        """F-measure, continuity and P-score, mean over tracks."""
        return metrics.corpus_scores(references, estimates, self.trim, names)

    def conditions(self, references: Sequence[Annotations]) -> str:
        """The seconds at the start of every track that are not scored."""
        return f"trim={self.trim:.1f}"
