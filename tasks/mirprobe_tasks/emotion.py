"""Emotion regression: valence and arousal of whole tracks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mirprobe.api.dataset import Dataset
from mirprobe.core.bootstrap import Statistic, mean
from mirprobe.core.schema import Annotations, Floats, Level, Loss
from mirprobe.metrics.regression import r2
from mirprobe_tasks.common.checks import required, validate_emotion


class Emotion:
    """Regression of valence and arousal on the scale of the data set.

    The main metric weights both dimensions equally. Arousal is usually much easier to predict.
    """

    name = "emotion"
    level: Level = "clip"
    annotation = "emotion"
    loss: Loss = "regression"
    labels: tuple[str, ...] = ("valence", "arousal")
    main_metric = "r2"
    metrics: Mapping[str, str] = {
        "r2": "mean of r2_valence and r2_arousal",
        "r2_valence": "coefficient of determination of valence; predicting the mean gives 0",
        "r2_arousal": "coefficient of determination of arousal; predicting the mean gives 0",
    }
    decodings: Mapping[str, Sequence[Mapping[str, float]]] = {"numbers": ({},)}

    def __init__(self, dataset: Dataset) -> None:
        pass  # the label space is the same for every data set

    def targets(self, annotations: Annotations, times: Floats | None) -> NDArray[np.float32]:
        """(2,) valence and arousal.

        Raises:
            TrackError: there is no emotion, or it is not two finite numbers.
        """
        return np.array(
            validate_emotion(required(annotations.emotion, "emotion")), dtype=np.float32
        )

    def decode(
        self,
        logits: NDArray[np.float32],
        times: Floats | None,
        decoding: str,
        parameters: Mapping[str, float],
    ) -> Annotations:
        """Valence and arousal as estimated."""
        valence, arousal = logits.tolist()
        return Annotations(emotion=(valence, arousal))

    def score(
        self, references: Sequence[Annotations], estimates: Sequence[Annotations]
    ) -> dict[str, Statistic]:
        """Coefficients of determination over the tracks."""
        reference, estimate = (
            np.array([required(track.emotion, "emotion") for track in tracks], dtype=np.float64)
            for tracks in (references, estimates)
        )  # (tracks, 2)
        valence, arousal = (r2(reference[:, i], estimate[:, i]) for i in (0, 1))
        return {
            "r2": mean([valence, arousal]),
            "r2_valence": valence,
            "r2_arousal": arousal,
        }
