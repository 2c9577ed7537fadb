"""Annotation files of a track: `.lab`, `.beats` and JAMS."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from mirprobe.core.annotations import to_json
from mirprobe.core.errors import TrackError
from mirprobe.core.schema import Annotations, Beats, Floats, Segments
from mirprobe_tasks.common.checks import (
    finite,
    parse_chord,
    validate_events,
    validate_segments,
    validate_tempo,
)
from mirprobe_tasks.datasets.normalise import drop_empty_segments, normalise_key, single_key

APPLIES = 0.5
"""Confidence from which a tag of a JAMS file applies."""

LONGEST_BAR = 1000
"""Beats of the longest bar."""

Values = dict[str, Any]
"""Field of `Annotations` -> its value."""


def read_local(
    kind: str, path: Path, chosen: Mapping[str, tuple[str, int]] | None = None
) -> Values:
    """The annotations in a file, in seconds from the start of the audio file.

    Args:
        kind: `chords`, `keys` or `sections` (lines of start, end and label), `beats` (lines of a
            time and, if known, the position in the bar), or `jams`. Blanks or tabs separate the
            columns; empty lines and lines that start with `#` are skipped.
        path: of a file in UTF-8.
        chosen: of JAMS, see `Description.jams`.

    Raises:
        ValueError: the file cannot be read; the message names the line. Or a JAMS file has several
            annotations of a field that differ, and none is chosen.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        if kind == "jams":
            return _jams(text, chosen or {})
        lines = [
            (number, line.split(None, 2))
            for number, line in enumerate(text.splitlines(), start=1)
            if line.strip() and not line.startswith("#")
        ]
        if kind == "beats":
            return {"beats": _beats(lines)}
        return {kind: _segments(lines, kind)}
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror or error})") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"is not text in UTF-8 ({error})") from error
    except TrackError as error:
        raise ValueError(str(error)) from error


def stretch(values: Values, start: float, stop: float | None) -> Values:
    """The annotations from `start` to `stop`, in seconds from `start`.

    Fields without times are unchanged; segments are cut at both ends.
    """
    end = np.inf if stop is None else stop

    def within(value: Any) -> Any:
        if isinstance(value, Segments):
            intervals = np.clip(value.intervals, start, end) - start
            return drop_empty_segments(intervals, value.labels)
        if isinstance(value, Beats):
            inside = (value.times >= start) & (value.times < end)
            positions = None if value.positions is None else value.positions[inside]
            return Beats(value.times[inside] - start, positions)
        if isinstance(value, np.ndarray):
            return value[(value >= start) & (value < end)] - start
        return value

    return {field: within(value) for field, value in values.items()}


Lines = Sequence[tuple[int, list[str]]]


def _segments(lines: Lines, kind: str) -> Segments:
    intervals, labels = [], []
    for number, columns in lines:
        try:
            start, end, label = columns
            intervals.append((finite(start), finite(end)))
        except ValueError:
            raise ValueError(f"line {number}: write start, end and label") from None
        try:
            labels.append(_label(kind, label.strip()))
        except (TrackError, ValueError) as error:
            raise ValueError(
                f"line {number}: {error}; if these are sections rather than {kind}, write "
                "`beside: {sections: .lab}`"
            ) from error
    return validate_segments(
        drop_empty_segments(np.array(intervals), labels), kind.removesuffix("s")
    )


def _label(kind: str, text: str) -> str:
    """A label in its normal form.

    Raises:
        TrackError, ValueError: this kind of segments cannot have the label.
    """
    if kind == "keys":
        return normalise_key(text)
    if kind == "chords":
        parse_chord(text)
    return text


def _beats(lines: Lines) -> Beats:
    times: list[float] = []
    positions: list[int] = []
    for number, columns in lines:
        try:
            times.append(finite(columns[0]))
            positions.extend(_whole(finite(column)) for column in columns[1:2])
            if len(columns) > 2:
                raise ValueError
        except ValueError:
            raise ValueError(
                f"line {number}: write a time and, if known, the position in the bar as a whole "
                "number"
            ) from None
    return _make_beats(times, positions)


def _make_beats(times: Sequence[float], positions: Sequence[int]) -> Beats:
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


def _jams(text: str, chosen: Mapping[str, tuple[str, int]]) -> Values:
    """The fields in a JAMS file: read as JSON, not validated by the package `jams`."""
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
                    found.setdefault(field, {})[f"{namespace}#{seen[namespace]}"] = read(
                        observations
                    )
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


def _number(value: Any) -> float:
    number = float(value)
    if not isfinite(number):
        raise ValueError(f"holds {number}; write a number")
    return number


def _whole(number: float) -> int:
    if not number.is_integer():
        raise ValueError("a position in the bar is not a whole number; leave out subdivisions")
    return int(number)


def _text(value: Any) -> str:
    if not isinstance(value, str | int | float) or value != value:  # NaN differs from itself
        raise ValueError(f"has the label {value!r}; write text")
    return str(value)


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
    positions = [_whole(_number(value)) for value in values if value is not None]
    return _make_beats(_times(observations), positions)


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
    given = [(_text(one["value"]), one.get("confidence")) for one in observations]
    return {tag: 1.0 for tag, confidence in given if confidence is None or not confidence < APPLIES}


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
