"""Pitch: which note a track holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mirprobe.api.dataset import Dataset
from mirprobe.core.bootstrap import Statistic
from mirprobe.core.schema import Annotations, Floats, Level, Loss
from mirprobe.metrics import pitch as metrics
from mirprobe_tasks.common.checks import known_note, required


class Pitch:
    """Classification into the 128 notes of MIDI; enharmonic spellings are one class.

    The range of instruments differs from data set to data set (TinySOL has 82 notes, a piano 88,
    NSynth 112); this one has them all, so that probes can be trained on one and tested on another.
    Notes that no track of the training split has cost nothing: their logits only sink.
    """

    name = "pitch"
    level: Level = "clip"
    annotation = "pitch"
    loss: Loss = "multiclass"
    labels: tuple[str, ...] = metrics.NOTES
    main_metric = "accuracy"
    metrics: Mapping[str, str] = metrics.METRICS
    decodings: Mapping[str, Sequence[Mapping[str, float]]] = {"argmax": ({},)}

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset.name

    def targets(self, annotations: Annotations, times: Floats | None) -> NDArray[np.int64]:
        """() MIDI number of the note.

        Raises:
            TrackError: no pitch, or one that is no note from C-1 to G9.
        """
        return np.array(known_note(required(annotations.pitch, "pitch")), dtype=np.int64)

    def decode(
        self,
        logits: NDArray[np.float32],
        times: Floats | None,
        decoding: str,
        parameters: Mapping[str, float],
    ) -> Annotations:
        """The note with the highest logit."""
        return Annotations(pitch=self.labels[int(logits.argmax())])

    def score(
        self, references: Sequence[Annotations], estimates: Sequence[Annotations]
    ) -> dict[str, Statistic]:
        """Accuracy of the note and of its pitch class, over the tracks."""
        return metrics.corpus_scores(
            [required(track.pitch, "pitch") for track in references],
            [required(track.pitch, "pitch") for track in estimates],
        )

    def conditions(self, references: Sequence[Annotations]) -> str:
        """Nothing more."""
        return ""
