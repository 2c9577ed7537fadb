"""Tempo: how many beats a minute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mirprobe.api.dataset import Dataset
from mirprobe.core.bootstrap import Statistic
from mirprobe.core.schema import Annotations, Floats, Level, Loss
from mirprobe.metrics import tempo as metrics
from mirprobe_tasks.common.checks import required, sound_tempo


class Tempo:
    """Classification into 72 tempi from 30 to 240 beats a minute, 24 to the octave.

    As many classes as in the published protocol, where the data fix them; here they are fixed
    (metrics.tempo.CLASSES), and wide enough that a few hundred tracks meet most of them. A class is
    2.9 % wide and stands for its centre: the right one is always within 4 %, so that the classes
    leave a ceiling of 1 for both accuracies wherever the tempi lie within the range. A tempo
    outside it is not learned from, but scored like any other: no estimate reaches it, or only as
    an octave error.
    """

    name = "tempo"
    level: Level = "clip"
    annotation = "tempo"
    loss: Loss = "multiclass"
    labels: tuple[str, ...] = tuple(f"{tempo:.1f}" for tempo in metrics.CLASSES)
    main_metric = "acc1"
    metrics: Mapping[str, str] = metrics.METRICS
    decodings: Mapping[str, Sequence[Mapping[str, float]]] = {"argmax": ({},)}

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset.name

    def targets(self, annotations: Annotations, times: Floats | None) -> NDArray[np.int64]:
        """() class of the tempo, -1 outside the range.

        Raises:
            TrackError: no tempo, or one that is no number above 0.
        """
        tempo = sound_tempo(required(annotations.tempo, "tempo"))
        return np.array(metrics.tempo_class(tempo), dtype=np.int64)

    def decode(
        self,
        logits: NDArray[np.float32],
        times: Floats | None,
        decoding: str,
        parameters: Mapping[str, float],
    ) -> Annotations:
        """The centre of the class with the highest logit, in beats a minute."""
        return Annotations(tempo=float(metrics.CLASSES[logits.argmax()]))

    def score(
        self, references: Sequence[Annotations], estimates: Sequence[Annotations]
    ) -> dict[str, Statistic]:
        """Accuracy 1 and 2 over the tracks."""
        return metrics.corpus_scores(
            [required(track.tempo, "tempo") for track in references],
            [required(track.tempo, "tempo") for track in estimates],
        )

    def conditions(self, references: Sequence[Annotations]) -> str:
        """How many of these tracks have a tempo that no class stands for."""
        tempi = [required(track.tempo, "tempo") for track in references]
        outside = sum(metrics.tempo_class(tempo) < 0 for tempo in tempi)
        return f"tracks outside 30 to 240 bpm: {outside}" if outside else ""
