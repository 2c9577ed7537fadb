"""Tempo estimation in beats per minute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mirprobe.core.bootstrap import Statistic
from mirprobe.core.schema import Annotations
from mirprobe.metrics import tempo as metrics
from mirprobe_tasks.common.checks import validate_tempo
from mirprobe_tasks.common.classification import ClipClassification


class Tempo(ClipClassification):
    """Classification into 72 tempo classes from 30 to 240 beats per minute, 24 per octave.

    The published protocol derives as many classes from its data. The classes here are fixed
    (`metrics.tempo.CLASSES`) and wide enough that a few hundred tracks cover most of them. A class
    is 2.9 % wide; its estimate is its centre, which is within 4 % of every tempo in the class. The
    ceiling of both accuracies is therefore 1 for tempi in the range. A tempo outside the range is
    not a training target but is scored: an estimate can match it only as an octave error.
    """

    name = "tempo"
    annotation = "tempo"
    labels: tuple[str, ...] = tuple(f"{tempo:.1f}" for tempo in metrics.CLASSES)
    main_metric = "acc1"
    metrics: Mapping[str, str] = metrics.METRICS

    def class_of(self, label: float) -> int:
        """Index of the tempo, -1 outside the range.

        Raises:
            TrackError: the tempo is not a number above 0.
        """
        return metrics.tempo_class(validate_tempo(label))

    def label_of(self, index: int) -> float:
        """The centre of the class, in beats per minute."""
        return float(metrics.CLASSES[index])

    def corpus_scores(
        self, references: list[float], estimates: list[float]
    ) -> dict[str, Statistic]:
        """Accuracy 1 and 2 over the tracks."""
        return metrics.corpus_scores(references, estimates)

    def conditions(self, references: Sequence[Annotations]) -> str:
        """How many of these tracks have a tempo outside the range."""
        outside = sum(metrics.tempo_class(self.label(track)) < 0 for track in references)
        return f"tracks outside 30 to 240 bpm: {outside}" if outside else ""
