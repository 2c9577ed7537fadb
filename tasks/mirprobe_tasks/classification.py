"""Classification of whole tracks by any field of the data."""

from __future__ import annotations

from typing import Any

from mirprobe.api.dataset import Dataset
from mirprobe.core.errors import TrackError
from mirprobe.core.schema import Annotations
from mirprobe_tasks.common.classification import VocabularyClassification
from mirprobe_tasks.common.fields import labels_of


class Classification(VocabularyClassification):
    """Classification by a field of your own, `classification:field=technique`.

    The classes are the vocabulary of the field that the data set declares, or else the values that
    occur in any split. A number is the class of its text.
    """

    name = "classification"
    annotation = ""
    positional: tuple[str, ...] = ("field",)

    def __init__(self, dataset: Dataset, field: str) -> None:
        """Find the classes.

        Args:
            dataset: whose tracks have the field.
            field: of `Annotations`, or a key of `Annotations.extra`.

        Raises:
            ConfigError: no track has the field, or its values are not labels.
        """
        self.annotation = field
        self.labels = labels_of(dataset, field, _text)

    def label(self, annotations: Annotations) -> str:
        """The label of a track as text.

        Raises:
            TrackError: the track has none, or several.
        """
        return _text(super().label(annotations))


def _text(value: Any) -> str:
    if isinstance(value, str | int | float):
        return str(value)
    raise TrackError(f"{type(value).__name__} is no label: give one word or number")
