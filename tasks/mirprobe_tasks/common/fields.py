"""Fields that the user names: their values over a data set, their labels, and the tolerance."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import inf
from typing import Any

from mirprobe.api.dataset import Dataset, vocabularies_of
from mirprobe.api.specs import nearest
from mirprobe.core.errors import ConfigError, TrackError


def values_of(dataset: Dataset, field: str) -> list[Any]:
    """The values of a field in all tracks that have it.

    Args:
        dataset: whose annotations are read.
        field: of `Annotations`, or a key of `Annotations.extra`.

    Raises:
        ConfigError: no track has the field.
    """
    given = [track.annotations.given() for split in dataset.splits().values() for track in split]
    values = [one[field] for one in given if field in one]
    if not values:
        known = {name for one in given for name in one}
        raise ConfigError(
            f"data set '{dataset.name}': no track has the field '{field}'; {nearest(field, known)}"
        )
    return values


def labels_of(
    dataset: Dataset, field: str, labels: Callable[[Any], str | Iterable[str]]
) -> tuple[str, ...]:
    """The vocabulary that a data set declares for a field, or else the labels that occur.

    Args:
        dataset: whose annotations are read.
        field: of `Annotations`, or a key of `Annotations.extra`.
        labels: value of the field -> its label or labels.

    Raises:
        ConfigError: no track has the field, or `labels` refuses every value of it.
    """
    values = values_of(dataset, field)
    if declared := vocabularies_of(dataset).get(field):
        return tuple(declared)
    found: set[str] = set()
    refused: TrackError | None = None
    for value in values:
        try:
            read = labels(value)
        except TrackError as error:  # reported for its track where it is used
            refused = error
            continue
        found.update([read] if isinstance(read, str) else read)
    if not found and refused is not None:
        raise ConfigError(f"data set '{dataset.name}': field '{field}': {refused}")
    return tuple(sorted(found))


def checked_tolerance(task: str, tolerance: float) -> float:
    """The tolerance of a task in seconds.

    Raises:
        ConfigError: it is not a number above 0.
    """
    if not isinstance(tolerance, float | int) or not 0 < tolerance < inf:
        raise ConfigError(f"{task}: tolerance is {tolerance!r}; give seconds above 0")
    return float(tolerance)
