"""Annotations to JSON and back, and the checks that every annotation must pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from mirprobe.core.errors import TrackError
from mirprobe.core.schema import Annotations, Beats, Segments

TOLERANCE = 1.0  # seconds that an annotation may outlast its audio: encoders of audio add padding
_DIGITS = 4  # of seconds and scores in JSON


def to_json(annotations: Annotations) -> dict[str, Any]:
    """The fields that are given, as JSON values; seconds and scores to four decimals."""
    return {
        field.name: _plain(getattr(annotations, field.name))
        for field in fields(annotations)
        if getattr(annotations, field.name) is not None
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Segments):
        return {"intervals": _plain(value.intervals), "labels": list(value.labels)}
    if isinstance(value, Beats):
        positions = None if value.positions is None else value.positions.tolist()
        return {"times": _plain(value.times), "positions": positions}
    if isinstance(value, np.ndarray):
        return value.round(_DIGITS).tolist()
    if isinstance(value, Mapping):
        return {name: round(float(score), _DIGITS) for name, score in value.items()}
    if isinstance(value, tuple):
        return [round(float(number), _DIGITS) for number in value]
    return value


def from_json(values: Mapping[str, Any]) -> Annotations:
    """What `to_json` wrote."""
    read: dict[str, Any] = dict(values)
    for name in ("keys", "chords", "sections"):
        if name in read:
            intervals = np.asarray(read[name]["intervals"], dtype=np.float64).reshape(-1, 2)
            read[name] = Segments(intervals, tuple(read[name]["labels"]))
    if "beats" in read:
        positions = read["beats"]["positions"]
        read["beats"] = Beats(
            np.asarray(read["beats"]["times"], dtype=np.float64),
            None if positions is None else np.asarray(positions, dtype=np.int64),
        )
    if "onsets" in read:
        read["onsets"] = np.asarray(read["onsets"], dtype=np.float64)
    if "emotion" in read:
        read["emotion"] = tuple(read["emotion"])
    return Annotations(**read)


def check_annotation(annotations: Annotations, field: str, duration: float) -> None:
    """Refuse a track whose annotation is missing or lies outside its audio.

    Args:
        annotations: of the track.
        field: the annotation that a task needs.
        duration: of the audio in seconds.

    Raises:
        TrackError: it is missing, its parts differ in number, it holds times that are negative or
            not finite, or it outlasts the audio by more than `TOLERANCE`.
    """
    value = getattr(annotations, field)
    if value is None:
        raise TrackError(f"has no annotation '{field}'; add it or leave the track out")
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
    elif isinstance(value, np.ndarray):
        times = value
    else:
        return
    if not np.isfinite(times).all() or (times < 0).any():
        raise TrackError(f"'{field}' holds a time that is negative or not a number; correct it")
    if times.size and times.max() > duration + TOLERANCE:
        raise TrackError(
            f"'{field}' lasts until {times.max():.2f} s but the audio only {duration:.2f} s; "
            "check that they belong together"
        )
