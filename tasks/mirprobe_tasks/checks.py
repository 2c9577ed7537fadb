"""What the tasks ask of an annotation: a failure is a TrackError with culprit and remedy."""

from __future__ import annotations

from typing import TypeVar

import mir_eval.chord
import numpy as np

from mirprobe.errors import TrackError
from mirprobe.metrics.chord import TOLERANCE, chord_class
from mirprobe.metrics.key import key_class
from mirprobe.schema import Floats, Segments
from mirprobe_tasks.grid import period

T = TypeVar("T")

OVERHANG = 1.0
"""Seconds by which an annotation may outlast the frames: encoders drop an incomplete last one."""


def required(value: T | None, field: str) -> T:
    """The annotation itself.

    Raises:
        TrackError: there is none.
    """
    if value is None:
        raise TrackError(f"no {field} annotation: add one or leave the track out of this task")
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
            f'cannot read chord "{label}": write it in Harte syntax that mir_eval.chord knows, '
            'such as "C:maj", "F#:min7/b3" or "N", or "X" for any other'
        ) from error


def sound_segments(segments: Segments, times: Floats) -> Segments:
    """The segments, which are sorted, of positive duration and within the track.

    Args:
        segments: any labelled stretches.
        times: (time,) centre of each frame in seconds.

    Raises:
        TrackError: they are not.
    """
    intervals = np.asarray(segments.intervals)
    if intervals.ndim != 2 or intervals.shape[1:] != (2,) or not len(intervals):
        raise TrackError(
            f"segments of shape {intervals.shape}: give (n, 2) intervals of at least one segment"
        )
    if len(intervals) != len(segments.labels):
        raise TrackError(
            f"{len(intervals)} intervals but {len(segments.labels)} labels: give one label each"
        )
    _finite_and_positive(intervals, "segment")
    empty = np.flatnonzero(intervals[:, 1] <= intervals[:, 0])
    if len(empty):
        start, end = intervals[empty[0]]
        raise TrackError(
            f"segment {empty[0]} runs from {start:.3f} to {end:.3f} s: end it after it starts"
        )
    overlaps = np.flatnonzero(intervals[1:, 0] < intervals[:-1, 1] - TOLERANCE)
    if len(overlaps):
        i = int(overlaps[0])
        raise TrackError(
            f"segment {i + 1} starts at {intervals[i + 1, 0]:.3f} s, before segment {i} ends at "
            f"{intervals[i, 1]:.3f} s: sort the segments and cut the overlap"
        )
    _within(float(intervals[-1, 1]), times)
    return segments


def sound_beats(beats: Floats, times: Floats) -> Floats:
    """The beat times, (n,), which increase and lie within the track; there may be none.

    Args:
        beats: in seconds.
        times: (time,) centre of each frame in seconds.

    Raises:
        TrackError: they do not.
    """
    beats = np.asarray(beats, dtype=np.float64)
    if beats.ndim != 1:
        raise TrackError(f"beat times of shape {beats.shape}: give one time in seconds a beat")
    _finite_and_positive(beats, "beat")
    unsorted = np.flatnonzero(np.diff(beats) <= 0)
    if len(unsorted):
        i = int(unsorted[0])
        raise TrackError(
            f"beat {i + 1} at {beats[i + 1]:.3f} s does not come after beat {i} at "
            f"{beats[i]:.3f} s: sort the beats and drop doubles"
        )
    if len(beats):
        _within(float(beats[-1]), times)
    return beats


def _finite_and_positive(values: Floats, what: str) -> None:
    wrong = np.argwhere(~(np.isfinite(values) & (values >= 0)))
    if len(wrong):
        value = values[tuple(wrong[0])]
        raise TrackError(
            f"{what} {wrong[0][0]} has the time {value} s: give seconds from the track's start"
        )


def _within(last: float, times: Floats) -> None:
    end = float(times[-1]) + period(times)
    if last > end + OVERHANG:
        raise TrackError(
            f"the annotation goes on to {last:.2f} s but the audio ends at {end:.2f} s: check "
            "that both are of the same recording"
        )
