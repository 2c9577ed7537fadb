"""Emotion: how pleasant (valence) and how intense (arousal) a track is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mirprobe.api.dataset import Dataset
from mirprobe.core.bootstrap import Statistic
from mirprobe.core.schema import Annotations, Floats, Level, Loss
from mirprobe.metrics.regression import r2
from mirprobe_tasks.common.checks import required, sound_emotion


class Emotion:
    """Regression of valence and arousal of whole tracks, on the scale of the data set.

    The main metric weighs both dimensions the same. Arousal is usually far easier to predict.
    """

    name = "emotion"
    level: Level = "clip"
    annotation = "emotion"
    loss: Loss = "regression"
    labels: tuple[str, ...] = ("valence", "arousal")
    main_metric = "r2"
    metrics: Mapping[str, str] = {
        "r2": "mean of the coefficients of determination of valence and arousal over the tracks",
        "r2_valence": "coefficient of determination of valence over the tracks, 0 is their mean",
        "r2_arousal": "coefficient of determination of arousal over the tracks, 0 is their mean",
    }
    decodings: Mapping[str, Sequence[Mapping[str, float]]] = {"numbers": ({},)}

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset.name

    def targets(self, annotations: Annotations, times: Floats | None) -> NDArray[np.float32]:
        """(2,) valence and arousal.

        Raises:
            TrackError: no emotion, or not two finite numbers.
        """
        return np.array(sound_emotion(required(annotations.emotion, "emotion")), dtype=np.float32)

    def decode(
        self,
        logits: NDArray[np.float32],
        times: Floats | None,
        decoding: str,
        parameters: Mapping[str, float],
    ) -> Annotations:
        """The two numbers as they are."""
        valence, arousal = logits.tolist()
        return Annotations(emotion=(valence, arousal))

    def score(
        self, references: Sequence[Annotations], estimates: Sequence[Annotations]
    ) -> dict[str, Statistic]:
        """Coefficients of determination over the tracks."""
        truth, found = (
            np.array([required(track.emotion, "emotion") for track in tracks], dtype=np.float64)
            for tracks in (references, estimates)
        )  # (tracks, 2)
        valence, arousal = r2(truth[:, 0], found[:, 0]), r2(truth[:, 1], found[:, 1])
        return {
            "r2": lambda counts: (valence(counts) + arousal(counts)) / 2,
            "r2_valence": valence,
            "r2_arousal": arousal,
        }

    def conditions(self, references: Sequence[Annotations]) -> str:
        """Nothing more."""
        return ""
