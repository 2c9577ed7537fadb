"""Instrument: which one plays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mirprobe.dataset import Dataset
from mirprobe.metrics import classification as metrics
from mirprobe.metrics.statistic import Statistic
from mirprobe.schema import Annotations, Floats, Level, Loss
from mirprobe_tasks.checks import declared_labels, known_label, required


class Instrument:
    """Classification of whole tracks into the instruments that the data set declares."""

    name = "instrument"
    level: Level = "clip"
    annotation = "instrument"
    loss: Loss = "multiclass"
    main_metric = "accuracy"
    metrics: Mapping[str, str] = metrics.METRICS
    decodings: Mapping[str, Sequence[Mapping[str, float]]] = {"argmax": ({},)}

    def __init__(self, dataset: Dataset) -> None:
        self.labels = declared_labels(dataset, "instrument")

    def targets(self, annotations: Annotations, times: Floats | None) -> NDArray[np.int64]:
        """() index of the instrument.

        Raises:
            TrackError: no instrument, or one that is not in the data set's vocabulary.
        """
        instrument = required(annotations.instrument, "instrument")
        return np.array(known_label(instrument, self.labels, "instrument"), dtype=np.int64)

    def decode(
        self,
        logits: NDArray[np.float32],
        times: Floats | None,
        decoding: str,
        parameters: Mapping[str, float],
    ) -> Annotations:
        """The instrument with the highest logit."""
        return Annotations(instrument=self.labels[int(logits.argmax())])

    def score(
        self, references: Sequence[Annotations], estimates: Sequence[Annotations]
    ) -> dict[str, Statistic]:
        """Accuracy and macro-F1 over the tracks."""
        return metrics.corpus_scores(
            [required(track.instrument, "instrument") for track in references],
            [required(track.instrument, "instrument") for track in estimates],
        )

    def conditions(self, references: Sequence[Annotations]) -> str:
        """The instruments that none of these tracks has."""
        absent = sorted(set(self.labels) - {str(track.instrument) for track in references})
        return f"classes without tracks: {', '.join(absent)}" if absent else ""
