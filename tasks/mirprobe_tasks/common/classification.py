"""Clip classification: what tasks with one label a track share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mirprobe.api.dataset import Dataset
from mirprobe.core.bootstrap import Statistic
from mirprobe.core.schema import Annotations, Floats, Level, Loss
from mirprobe.metrics import classification as metrics
from mirprobe_tasks.common.checks import declared_labels, parse_label, required
from mirprobe_tasks.common.make_annotations import make_annotations


class ClipClassification:
    """One class a track. A subclass declares the attributes and how labels become classes.

    Attributes:
        name: of the task.
        annotation: the field of `Annotations`, or the key of `Annotations.extra`, of the label.
        labels: the classes, fixed by the task.
        main_metric: as `Task.main_metric`.
        metrics: as `Task.metrics`.
    """

    name: str
    level: Level = "clip"
    annotation: str
    loss: Loss = "multiclass"
    labels: tuple[str, ...]
    main_metric: str = "accuracy"
    metrics: Mapping[str, str]
    decodings: Mapping[str, Sequence[Mapping[str, float]]] = {"argmax": ({},)}

    def __init__(self, dataset: Dataset) -> None:
        pass  # the classes are the same for every data set

    def class_of(self, label: Any) -> int:
        """Index of the label's class, -1 for a label outside the classes.

        Raises:
            TrackError: the label is malformed.
        """
        raise NotImplementedError

    def label_of(self, index: int) -> Any:
        """The label that stands for a class."""
        return self.labels[index]

    def corpus_scores(self, references: list[Any], estimates: list[Any]) -> dict[str, Statistic]:
        """Every metric over the labels of all tracks."""
        raise NotImplementedError

    def targets(self, annotations: Annotations, times: Floats | None) -> NDArray[np.int64]:
        """() class of the track, -1 outside the classes.

        Raises:
            TrackError: the track has no label, or a malformed one.
        """
        return np.array(self.class_of(self.label(annotations)), dtype=np.int64)

    def decode(
        self,
        logits: NDArray[np.float32],
        times: Floats | None,
        decoding: str,
        parameters: Mapping[str, float],
    ) -> Annotations:
        """The label of the class with the highest logit."""
        return make_annotations({self.annotation: self.label_of(int(logits.argmax()))})

    def score(
        self, references: Sequence[Annotations], estimates: Sequence[Annotations]
    ) -> dict[str, Statistic]:
        """Every metric over the tracks."""
        return self.corpus_scores(
            [self.label(track) for track in references], [self.label(track) for track in estimates]
        )

    def label(self, annotations: Annotations) -> Any:
        """The label of a track.

        Raises:
            TrackError: the track has none.
        """
        return required(annotations.get(self.annotation), self.annotation)


class VocabularyClassification(ClipClassification):
    """Classes from the data set's `vocabularies`; a subclass gives `name` and `annotation`."""

    metrics: Mapping[str, str] = metrics.METRICS

    def __init__(self, dataset: Dataset) -> None:
        self.labels = declared_labels(dataset, self.annotation)

    def class_of(self, label: str) -> int:
        """Index in the vocabulary.

        Raises:
            TrackError: the vocabulary does not have the label.
        """
        return parse_label(label, self.labels, self.annotation)

    def corpus_scores(self, references: list[str], estimates: list[str]) -> dict[str, Statistic]:
        """Accuracy and macro-F1 over the tracks."""
        return metrics.corpus_scores(references, estimates)

    def conditions(self, references: Sequence[Annotations]) -> str:
        """The classes that none of these tracks has."""
        present = {track.get(self.annotation) for track in references}
        absent = sorted(set(self.labels) - present)
        return f"classes without tracks: {', '.join(absent)}" if absent else ""
