"""Classification into labels that the data set declares: what `genre` and `instrument` share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mirprobe.api.dataset import Dataset
from mirprobe.core.bootstrap import Statistic
from mirprobe.core.schema import Annotations, Floats, Level, Loss
from mirprobe.metrics import classification as metrics
from mirprobe_tasks.common.checks import declared_labels, known_label, required


class DeclaredClasses:
    """One label a track, out of the data set's vocabulary; a subclass names the field.

    Attributes:
        name: of the task.
        annotation: the field of `Annotations` that holds the label, and its key in the data set's
            `vocabularies`.
    """

    name: str
    level: Level = "clip"
    annotation: str
    loss: Loss = "multiclass"
    main_metric = "accuracy"
    metrics: Mapping[str, str] = metrics.METRICS
    decodings: Mapping[str, Sequence[Mapping[str, float]]] = {"argmax": ({},)}

    def __init__(self, dataset: Dataset) -> None:
        self.labels = declared_labels(dataset, self.annotation)

    def targets(self, annotations: Annotations, times: Floats | None) -> NDArray[np.int64]:
        """() index of the label.

        Raises:
            TrackError: no label, or one that is not in the data set's vocabulary.
        """
        return np.array(
            known_label(self._label(annotations), self.labels, self.annotation), dtype=np.int64
        )

    def decode(
        self,
        logits: NDArray[np.float32],
        times: Floats | None,
        decoding: str,
        parameters: Mapping[str, float],
    ) -> Annotations:
        """The label with the highest logit."""
        label: dict[str, Any] = {self.annotation: self.labels[int(logits.argmax())]}
        return Annotations(**label)

    def score(
        self, references: Sequence[Annotations], estimates: Sequence[Annotations]
    ) -> dict[str, Statistic]:
        """Accuracy and macro-F1 over the tracks."""
        return metrics.corpus_scores(
            [self._label(track) for track in references],
            [self._label(track) for track in estimates],
        )

    def conditions(self, references: Sequence[Annotations]) -> str:
        """The labels that none of these tracks has."""
        absent = sorted(
            set(self.labels) - {str(getattr(track, self.annotation)) for track in references}
        )
        return f"classes without tracks: {', '.join(absent)}" if absent else ""

    def _label(self, annotations: Annotations) -> str:
        label: str = required(getattr(annotations, self.annotation), self.annotation)
        return label
