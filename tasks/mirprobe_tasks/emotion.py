"""Emotion regression: valence and arousal of whole tracks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mirprobe.core.schema import Annotations
from mirprobe_tasks.common.checks import required, validate_emotion
from mirprobe_tasks.common.regression import ClipRegression


class Emotion(ClipRegression):
    """Regression of valence and arousal on the scale of the data set.

    The main metric weights both dimensions equally. Arousal is usually much easier to predict.
    """

    name = "emotion"
    annotation = "emotion"
    labels: tuple[str, ...] = ("valence", "arousal")
    metrics: Mapping[str, str] = {
        "r2": "mean of r2_valence and r2_arousal",
        "r2_valence": "coefficient of determination of valence; predicting the mean gives 0",
        "r2_arousal": "coefficient of determination of arousal; predicting the mean gives 0",
    }

    def numbers_of(self, annotations: Annotations) -> Sequence[float]:
        """Valence and arousal.

        Raises:
            TrackError: there is no emotion, or it is not two finite numbers.
        """
        return validate_emotion(required(annotations.emotion, "emotion"))

    def annotations_of(self, numbers: Sequence[float]) -> Annotations:
        """Valence and arousal."""
        valence, arousal = numbers
        return Annotations(emotion=(valence, arousal))
