"""JAMS files of a track, and the checks of beats that all annotation files share."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any
from unicodedata import normalize

import numpy as np

from mirprobe.core.annotations import to_json
from mirprobe.core.schema import Annotations, Beats, Floats, Segments
from mirprobe_tasks.common.checks import (
    parse_chord,
    validate_events,
    validate_segments,
    validate_tempo,
)
from mirprobe_tasks.datasets.normalise import drop_empty_segments, single_key

APPLIES = 0.5
"""Confidence from which a tag of a JAMS file applies."""

LONGEST_BAR = 1000
"""Beats of the longest bar."""

Values = dict[str, Any]
"""Field of `Annotations` -> its value."""


def read_jams(text: str, chosen: Mapping[str, tuple[str, int]]) -> Values:
    """The fields in a JAMS file: read as JSON, not validated by the package `jams`.

    Args:
        text: the content.
        chosen: see `Description.jams`.

    Raises:
        ValueError: it is not JAMS, a value cannot be read, several annotations of a field differ,
            or a chosen one is missing.
    """
    try:
        annotations = json.loads(text)["annotations"]
        data = [(str(one["namespace"]), _observations(one["data"])) for one in annotations]
        found: dict[str, dict[str, Any]] = {}  # field -> name of an annotation -> its value
        seen: Counter[str] = Counter()
        for namespace, observations in data:
            field = field_of(namespace)
            if field and observations:
                seen[namespace] += 1
                wanted = chosen.get(field, (namespace, seen[namespace]))
                if wanted == (namespace, seen[namespace]):
                    _, read = _NAMESPACES.get(namespace, ("", _tags))
                    name = f"{namespace}#{seen[namespace]}"
                    if field != "tags":
                        _refuse_doubtful(observations, name)
                    found.setdefault(field, {})[name] = read(observations)
    except (KeyError, TypeError, AttributeError, *_NOT_JSON) as error:
        raise ValueError(f"is no JAMS file ({type(error).__name__}: {error})") from error
    for field in {field_of(namespace) for namespace in seen} - set(found):
        has = ", ".join(name for name in seen if field_of(name) == field)
        raise ValueError(
            f"has {has}, but not the annotation {'#'.join(map(str, chosen[field]))} that the "
            f"description chooses for '{field}'"
        )
    return {field: _only_value(field, values) for field, values in found.items()}


def field_of(namespace: str) -> str:
    """The field of `Annotations` that a namespace of JAMS becomes; empty if it is not used."""
    return "tags" if namespace.startswith("tag_") else _NAMESPACES.get(namespace, ("",))[0]


def _only_value(field: str, values: Mapping[str, Any]) -> Any:
    """The value of a field that all of its annotations agree on.

    Raises:
        ValueError: they differ.
    """
    shown = [to_json(Annotations(**{field: value})) for value in values.values()]
    if any(other != shown[0] for other in shown):
        names = ", ".join(values)
        raise ValueError(
            f"has {len(values)} annotations of '{field}' that differ ({names}); choose one in the "
            f"description, as in `jams: {{{field}: {next(iter(values))}}}`"
        )
    return next(iter(values.values()))


_NOT_JSON = (json.JSONDecodeError, RecursionError, OverflowError)

Observations = Sequence[Mapping[str, Any]]


def _observations(data: Any) -> Observations:
    """Sparse observations; dense ones are converted."""
    if isinstance(data, list):
        return data
    names = ("time", "duration", "value", "confidence")
    columns = [data[name] for name in names]
    if len({len(column) for column in columns}) > 1:
        raise ValueError("has dense observations whose lists differ in length")
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _refuse_doubtful(observations: Observations, name: str) -> None:
    """Refuse an annotation of a field that must be whole if a part of it has no confidence."""
    for one in observations:
        confidence = _confidence(one)
        if confidence == 0:
            raise ValueError(
                f"has confidence {confidence} at {one.get('time')} s in {name}; remove it, choose "
                "another annotation in the description, or write null if it is unknown"
            )


def _confidence(observation: Mapping[str, Any]) -> float | None:
    """From 0 to 1; None if it is unknown.

    Raises:
        ValueError: it is anything else, such as a percentage or a count.
    """
    value = observation.get("confidence")
    if value is None or (isinstance(value, int | float) and 0 <= value <= 1):
        return value
    raise ValueError(
        f"has confidence {value!r} at {observation.get('time')} s; write a number from 0 to 1, or "
        "null if it is unknown"
    )


def _number(value: Any) -> float:
    number = float(value)
    if not isfinite(number):
        raise ValueError(f"holds {number}; write a number")
    return number


def _text(value: Any) -> str:
    if not isinstance(value, str | int | float) or value != value:  # NaN differs from itself
        raise ValueError(f"has the label {value!r}; write text")
    return normalize("NFC", str(value))


def _times(observations: Observations) -> list[float]:
    return [_number(one["time"]) for one in observations]


def _jams_segments(kind: str) -> Callable[[Observations], Segments]:
    def read(observations: Observations) -> Segments:
        starts = np.array(_times(observations))
        durations = np.array([_number(one["duration"]) for one in observations])
        labels = [_text(one["value"]) for one in observations]
        if kind == "chords":
            for label in labels:
                parse_chord(label)
        intervals = np.stack([starts, starts + durations], axis=1)
        return validate_segments(drop_empty_segments(intervals, labels), kind.removesuffix("s"))

    return read


def _jams_beats(observations: Observations) -> Beats:
    values = [one["value"] for one in observations]
    values = [value["position"] if isinstance(value, dict) else value for value in values]
    positions = [whole(_number(value)) for value in values if value is not None]
    return make_beats(_times(observations), positions)


def _jams_onsets(observations: Observations) -> Floats:
    return validate_events(np.array(_times(observations), dtype=np.float64), "onset")


def _single(observations: Observations) -> Any:
    values = [one["value"] for one in observations]
    if any(value != values[0] for value in values):
        raise ValueError(f"has several values, {values[0]} and others; give one")
    return values[0]


def _jams_emotion(observations: Observations) -> tuple[float, float]:
    mood = _single(observations)
    if not isinstance(mood, list) or len(mood) != 2:
        raise ValueError(f"has the mood {mood!r}; write valence and arousal")
    return _number(mood[0]), _number(mood[1])


def _tags(observations: Observations) -> dict[str, float]:
    """The tags that apply: those without a confidence, or with one of at least `APPLIES`."""
    given = [(_text(one["value"]), _confidence(one)) for one in observations]
    return {tag: 1.0 for tag, confidence in given if confidence is None or confidence >= APPLIES}


_NAMESPACES: Mapping[str, tuple[str, Callable[[Observations], Any]]] = {
    "chord": ("chords", _jams_segments("chords")),
    "chord_harte": ("chords", _jams_segments("chords")),
    "beat": ("beats", _jams_beats),
    "beat_position": ("beats", _jams_beats),
    "key_mode": (
        "key",
        lambda observations: single_key([_text(one["value"]) for one in observations]),
    ),
    "tempo": ("tempo", lambda observations: validate_tempo(_number(_single(observations)))),
    "onset": ("onsets", _jams_onsets),
    "mood_thayer": ("emotion", _jams_emotion),
    **{
        f"segment_{kind}": ("sections", _jams_segments("sections"))
        for kind in ("open", "salami_function", "salami_upper", "salami_lower", "tut")
    },
}
"""Namespace -> field of `Annotations` and its reader; `tag_...` are tags, all others unused."""


def whole(number: float) -> int:
    """A position in the bar.

    Raises:
        ValueError: it is not a whole number.
    """
    if not number.is_integer():
        raise ValueError("a position in the bar is not a whole number; leave out subdivisions")
    return int(number)


def make_beats(times: Sequence[float], positions: Sequence[int]) -> Beats:
    """Beats with all or no positions in the bar.

    Raises:
        ValueError: they are neither, or no beats.
    """
    if positions and len(positions) != len(times):
        raise ValueError(
            f"{len(times)} beats have {len(positions)} positions in the bar; give all or none"
        )
    if any(position < 1 for position in positions):
        raise ValueError("a position in the bar is below 1; count from 1, the downbeat")
    if any(position > LONGEST_BAR for position in positions):
        raise ValueError(f"a position in the bar is above {LONGEST_BAR}; count within each bar")
    return Beats(
        validate_events(np.array(times, dtype=np.float64), "beat"),
        np.array(positions, dtype=np.int64) if positions else None,
    )
