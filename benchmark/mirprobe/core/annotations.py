"""Annotations to JSON and back, and the checks that every annotation must pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from numbers import Real
from typing import Any

import numpy as np

from mirprobe.core.errors import TrackError
from mirprobe.core.schema import Annotations, Beats, Segments

TOLERANCE = 1.0  # seconds that an annotation may exceed its audio: encoders of audio add padding
_TYPE = "type"  # of a value of `extra` in JSON


def _is_array(value: Any, kinds: str = "iuf") -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind in kinds


def _is_segments(value: Any) -> bool:
    return (
        isinstance(value, Segments)
        and _is_array(value.intervals)
        and isinstance(value.labels, tuple | list | np.ndarray)
        and all(isinstance(label, str) for label in value.labels)
    )


def _is_beats(value: Any) -> bool:
    return (
        isinstance(value, Beats)
        and _is_array(value.times)
        and (value.positions is None or _is_array(value.positions))
    )


def _is_tags(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(tag, str) and isinstance(relevance, Real) for tag, relevance in value.items()
    )


def _is_pair(value: Any) -> bool:
    return _is_array(value) or (
        isinstance(value, tuple | list) and all(isinstance(number, Real) for number in value)
    )


def _is_extra(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_extra, value))
    if isinstance(value, Mapping):
        return all(isinstance(name, str) and _is_extra(one) for name, one in value.items())
    plain = value is None or isinstance(value, str | Real | np.bool_)
    return plain or _is_segments(value) or _is_beats(value) or _is_array(value, "biufU")


_Form = tuple[Callable[[Any], bool], str]
_TEXT: _Form = (lambda value: isinstance(value, str), "a string")
_SEGMENTS: _Form = (
    _is_segments,
    "mirprobe.Segments such as Segments(numpy.array([[0.0, 1.5]]), ('A',))",
)
_EXTRA: _Form = (
    _is_extra,
    "a number, a string, an array, Segments, Beats, or a list or string-keyed mapping of them",
)
_FORMS: Mapping[str, _Form] = {
    **dict.fromkeys(("key", "pitch", "instrument", "genre"), _TEXT),
    **dict.fromkeys(("keys", "chords", "sections"), _SEGMENTS),
    "beats": (_is_beats, "mirprobe.Beats such as Beats(numpy.array([0.5, 1.0]))"),
    "tempo": (lambda value: isinstance(value, Real), "a number"),
    "tags": (_is_tags, "a mapping of the tags that apply, such as {'calm': 1.0, 'piano': 1.0}"),
    "emotion": (_is_pair, "valence and arousal such as (6.1, 4.2)"),
    "onsets": (_is_array, "an array of seconds such as numpy.array([0.5, 1.0])"),
}


def _check_form(field: str, value: Any) -> None:
    """Refuse a value that a stored annotation cannot hold, or that no task reads."""
    has_form, form = _FORMS.get(field, _EXTRA)
    if not has_form(value):
        raise TrackError(f"'{field}' ({type(value).__name__}) has a wrong form; give {form}")


def to_json(annotations: Annotations) -> dict[str, Any]:
    """The fields that are given, as JSON values; numbers are exact.

    Raises:
        TrackError: a field has another type than `Annotations` says.
    """
    for name, value in annotations.given().items():
        _check_form(name, value)
    values = {
        name: _plain(value)
        for name, value in vars(annotations).items()
        if value is not None and name != "extra"
    }
    if annotations.extra is not None:
        values["extra"] = {name: _tagged(value) for name, value in annotations.extra.items()}
    return values


def _plain(value: Any) -> Any:
    if isinstance(value, Segments):
        return {"intervals": _plain(value.intervals), "labels": list(value.labels)}
    if isinstance(value, Beats):
        positions = None if value.positions is None else value.positions.tolist()
        return {"times": _plain(value.times), "positions": positions}
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return {name: float(score) for name, score in value.items()}
    if isinstance(value, tuple):
        return [float(number) for number in value]
    return value.item() if isinstance(value, np.generic) else value


def _tagged(value: Any) -> Any:
    """A value of `extra`: what is no number, string or list is a mapping that names its type."""
    if isinstance(value, Segments | Beats):
        return {_TYPE: type(value).__name__, **_plain(value)}
    if isinstance(value, np.ndarray):
        return {_TYPE: "array", "dtype": value.dtype.str, "values": value.tolist()}
    if isinstance(value, Mapping):
        return {_TYPE: "mapping", "values": {name: _tagged(one) for name, one in value.items()}}
    if isinstance(value, list | tuple):
        return [_tagged(one) for one in value]
    return value.item() if isinstance(value, np.generic) else value


def from_json(values: Mapping[str, Any]) -> Annotations:
    """Read what `to_json` wrote."""
    read: dict[str, Any] = dict(values)
    for name in ("keys", "chords", "sections"):
        if name in read:
            read[name] = _segments(read[name])
    if "beats" in read:
        read["beats"] = _beats(read["beats"])
    if "onsets" in read:
        read["onsets"] = np.asarray(read["onsets"], dtype=np.float64)
    if "emotion" in read:
        read["emotion"] = tuple(read["emotion"])
    if "extra" in read:
        read["extra"] = {name: _untagged(value) for name, value in read["extra"].items()}
    return Annotations(**read)


def _segments(value: Mapping[str, Any]) -> Segments:
    intervals = np.asarray(value["intervals"], dtype=np.float64).reshape(-1, 2)
    return Segments(intervals, tuple(value["labels"]))


def _beats(value: Mapping[str, Any]) -> Beats:
    positions = value["positions"]
    return Beats(
        np.asarray(value["times"], dtype=np.float64),
        None if positions is None else np.asarray(positions, dtype=np.int64),
    )


def _untagged(value: Any) -> Any:
    if isinstance(value, list):
        return [_untagged(one) for one in value]
    if not isinstance(value, Mapping):
        return value
    if value[_TYPE] == "mapping":
        return {name: _untagged(one) for name, one in value["values"].items()}
    if value[_TYPE] == "array":
        return np.array(value["values"], dtype=value["dtype"])
    return _segments(value) if value[_TYPE] == "Segments" else _beats(value)


def check_annotation(annotations: Annotations, field: str, duration: float) -> None:
    """Refuse a track if an annotation is missing or exceeds the audio.

    Args:
        annotations: of the track.
        field: the field, or the key of `extra`, that a task needs.
        duration: of the audio in seconds.

    Raises:
        TrackError: the annotation is missing, it has another type than `Annotations` says, its
            parts differ in number, it has times that are negative or not finite, or it exceeds the
            audio by more than `TOLERANCE`.
    """
    value = annotations.extra if field == "extra" else annotations.get(field)
    if value is None:
        raise TrackError(f"has no annotation '{field}'; add it or leave the track out")
    _check_form(field, value)
    if isinstance(value, Segments):
        times = value.intervals
        if times.shape != (len(value.labels), 2):
            raise TrackError(
                f"'{field}' has {len(value.labels)} labels for intervals of shape {times.shape}; "
                "give each label one start and one end"
            )
    elif isinstance(value, Beats):
        times = value.times
        if value.positions is not None and len(value.positions) != len(times):
            raise TrackError(
                f"'{field}' has {len(value.positions)} positions for {len(times)} beats; give one "
                "a beat, or none at all"
            )
    elif field == "onsets" and isinstance(value, np.ndarray):
        times = value
    else:
        return
    if not np.isfinite(times).all() or (times < 0).any():
        raise TrackError(f"'{field}' has a time that is negative or not a number; correct it")
    if times.size and times.max() > duration + TOLERANCE:
        raise TrackError(
            f"'{field}' ends at {times.max():.2f} s but the audio at {duration:.2f} s; check that "
            "they belong together"
        )
