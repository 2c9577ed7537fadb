"""Regression of any number of whole tracks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

from mirprobe.api.dataset import Dataset
from mirprobe.core.errors import ConfigError, TrackError
from mirprobe.core.schema import Annotations
from mirprobe_tasks.common.checks import finite, required
from mirprobe_tasks.common.fields import values_of
from mirprobe_tasks.common.make_annotations import make_annotations
from mirprobe_tasks.common.regression import ClipRegression


class Regression(ClipRegression):
    """Regression of a number of your own, `regression:field=energy`, in the unit of the data."""

    name = "regression"
    annotation = ""
    metrics: Mapping[str, str] = {
        "r2": "coefficient of determination; predicting the mean gives 0",
    }
    positional: tuple[str, ...] = ("field",)

    def __init__(self, dataset: Dataset, field: str) -> None:
        """Check that there are numbers.

        Args:
            dataset: whose tracks have the field.
            field: of `Annotations`, or a key of `Annotations.extra`; a number, or text that is one.

        Raises:
            ConfigError: no track has the field, or none has a number.
        """
        self.annotation = field
        self.labels = (field,)
        for value in values_of(dataset, field):
            with suppress(ValueError):
                finite(str(value))
                return
        raise ConfigError(
            f"data set '{dataset.name}': field '{field}' has no number; use classification or "
            "tagging for labels"
        )

    def numbers_of(self, annotations: Annotations) -> Sequence[float]:
        """The number.

        Raises:
            TrackError: there is none, or it is not finite.
        """
        value = required(annotations.get(self.annotation), self.annotation)
        try:
            return [finite(str(value))]
        except ValueError as error:
            raise TrackError(f"{self.annotation} '{value}': {error}") from error

    def annotations_of(self, numbers: Sequence[float]) -> Annotations:
        """The number."""
        return make_annotations({self.annotation: numbers[0]})
