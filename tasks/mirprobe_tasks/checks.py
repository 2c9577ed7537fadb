"""What the tasks ask of an annotation: a failure is a TrackError with culprit and remedy.

Whether an annotation fits its audio the harness asks before (mirprobe.annotations).
"""

from __future__ import annotations

from typing import TypeVar

import mir_eval.chord
import numpy as np

from mirprobe.errors import TrackError
from mirprobe.metrics.chord import chord_class
from mirprobe.metrics.key import key_class
from mirprobe.metrics.timeline import TOLERANCE
from mirprobe.schema import Floats, Segments

T = TypeVar("T")


def required(value: T | None, what: str) -> T:
    """The value itself.

    Raises:
        TrackError: there is none.
    """
    if value is None:
        raise TrackError(f"has no {what}: add it or leave the track out of this task")
    return value


def known_key(key: str) -> int:
    """Class of a key, -1 outside major and minor; see mirprobe.metrics.key.key_class.

    Raises:
        TrackError: mir_eval.key cannot read it.
    """
    try:
        return key_class(key)
    except ValueError as error:
        raise TrackError(
            f'cannot read key "{key}": write tonic and mode such as "C# minor", or "X"'
        ) from error


def known_chord(label: str) -> int:
    """Class of a chord label, -1 outside the vocabulary; see mirprobe.metrics.chord.chord_class.

    Raises:
        TrackError: mir_eval.chord cannot read it.
    """
    try:
        return chord_class(label)
    except mir_eval.chord.InvalidChordException as error:
        raise TrackError(
            f'cannot read chord "{label}": write it in Harte syntax as mir_eval.chord knows it, '
            'such as "C:maj", "F#:min7/b3" or "N", or "X" for any other'
        ) from error


def sound_segments(segments: Segments) -> Segments:
    """The segments, which are sorted, apart, of positive duration and have one label each.

    Raises:
        TrackError: they are not.
    """
    intervals = np.asarray(segments.intervals, dtype=np.float64)
    if intervals.shape != (len(segments.labels), 2) or not len(intervals):
        raise TrackError(
            f"{len(segments.labels)} chord labels for intervals of shape {intervals.shape}: give "
            "a start, an end and a label for each of at least one segment"
        )
    starts, ends = intervals.T
    free_from = np.concatenate([[0.0], np.maximum(starts, ends - TOLERANCE)[:-1]])
    for i in np.flatnonzero(~((starts >= free_from) & (ends > starts))):
        raise TrackError(
            f"chord {i} from {starts[i]:.3f} to {ends[i]:.3f} s must start at "
            f"{free_from[i]:.3f} s or later and end after its start: sort the segments "
            "and cut overlaps"
        )
    return segments


def sound_beats(beats: Floats) -> Floats:
    """The beat times in seconds, (n,), which are positive and increase; there may be none.

    Raises:
        TrackError: they do not.
    """
    beats = np.asarray(beats, dtype=np.float64)
    if beats.ndim != 1:
        raise TrackError(f"beat times of shape {beats.shape}: give one time in seconds a beat")
    before = np.concatenate([[-1.0], beats])[:-1]
    for i in np.flatnonzero(~((beats > before) & (beats >= 0))):
        raise TrackError(
            f"beat {i} at {beats[i]:.3f} s must come after the one before it and not before 0 s: "
            "sort the beats and drop doubles"
        )
    return beats
