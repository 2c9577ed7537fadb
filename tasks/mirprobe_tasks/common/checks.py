"""Checks of annotations that tasks share; an error names the element and the remedy.

The harness checks before that an annotation fits its audio (mirprobe.core.annotations).
"""

from __future__ import annotations

from math import isfinite
from typing import TypeVar

import lazy_loader
import numpy as np

from mirprobe.api.dataset import Dataset, vocabularies_of
from mirprobe.core.errors import ConfigError, TrackError
from mirprobe.core.schema import Beats, Floats, Segments
from mirprobe.metrics.chord import chord_class
from mirprobe.metrics.key import key_class
from mirprobe.metrics.pitch import midi_number
from mirprobe.metrics.timeline import TOLERANCE

mir_eval = lazy_loader.load("mir_eval")

T = TypeVar("T")


def required(value: T | None, what: str) -> T:
    """The value, which must not be None.

    Args:
        value: of the track.
        what: name of the value, for the message.

    Raises:
        TrackError: it is None.
    """
    if value is None:
        raise TrackError(f"has no {what}: add it or leave the track out of this task")
    return value


def declared_labels(dataset: Dataset, field: str) -> tuple[str, ...]:
    """The label space that the data set declares for a field of its annotations.

    Raises:
        ConfigError: the data set declares none.
    """
    vocabularies = vocabularies_of(dataset)
    if not vocabularies.get(field):
        raise ConfigError(
            f"data set {dataset.name} declares no vocabulary of '{field}': choose another data set "
            "for this task, or list the labels in its `vocabularies`"
        )
    return tuple(vocabularies[field])


def parse_key(key: str) -> int:
    """Class of a key, -1 outside major and minor; see mirprobe.metrics.key.key_class.

    Raises:
        TrackError: mir_eval.key cannot read the key.
    """
    try:
        return key_class(key)
    except ValueError as error:
        raise TrackError(
            f'cannot read key "{key}": write tonic and mode such as "C# minor", or "X"'
        ) from error


def parse_chord(label: str) -> int:
    """Class of a chord label, -1 outside the vocabulary; see mirprobe.metrics.chord.chord_class.

    Raises:
        TrackError: mir_eval.chord cannot read the label.
    """
    try:
        return chord_class(label)
    except mir_eval.chord.InvalidChordException as error:
        raise TrackError(
            f'cannot read chord "{label}": write it in Harte syntax as mir_eval.chord knows it, '
            'such as "C:maj", "F#:min7/b3" or "N", or "X" for any other'
        ) from error


def parse_label(label: str, vocabulary: tuple[str, ...], what: str) -> int:
    """Index of a label in the vocabulary that the data set declares.

    Raises:
        TrackError: the vocabulary does not have the label.
    """
    if label not in vocabulary:
        raise TrackError(
            f'{what} "{label}" is not in the data set\'s vocabulary: add it there or correct it'
        )
    return vocabulary.index(label)


def parse_note(note: str) -> int:
    """MIDI number of a note; see mirprobe.metrics.pitch.midi_number.

    Raises:
        TrackError: the text is not a note from C-1 to G9.
    """
    try:
        return midi_number(note)
    except ValueError as error:
        raise TrackError(
            f'cannot read pitch "{note}": write letter, accidentals and octave such as "A#4", from '
            "C-1 to G9"
        ) from error


def validate_segments(segments: Segments, what: str = "chord") -> Segments:
    """The segments: at least one, sorted, without overlap, of positive duration, one label each.

    Raises:
        TrackError: they are not.
    """
    intervals = np.asarray(segments.intervals, dtype=np.float64)
    if intervals.shape != (len(segments.labels), 2) or not len(intervals):
        raise TrackError(
            f"{len(segments.labels)} {what} labels for intervals of shape {intervals.shape}: give "
            "a start, an end and a label for each of at least one segment"
        )
    starts, ends = intervals.T
    free_from = np.concatenate([[0.0], np.maximum(starts, ends - TOLERANCE)[:-1]])
    for i in np.flatnonzero(~((starts >= free_from) & (ends > starts))):
        raise TrackError(
            f"{what} {i} from {starts[i]:.3f} to {ends[i]:.3f} s must start at "
            f"{free_from[i]:.3f} s or later and end after its start: sort the segments "
            "and cut overlaps"
        )
    return segments


def validate_events(times: Floats, what: str) -> Floats:
    """(n,) event times in seconds, not negative and increasing; n may be 0.

    Raises:
        TrackError: they are not.
    """
    times = np.asarray(times, dtype=np.float64)
    if times.ndim != 1:
        raise TrackError(f"{what} times of shape {times.shape}: give one time in seconds a {what}")
    before = np.concatenate([[-1.0], times])[:-1]
    for i in np.flatnonzero(~((times > before) & (times >= 0))):
        raise TrackError(
            f"{what} {i} at {times[i]:.3f} s must come after the one before it and not before 0 s: "
            "sort the times and remove duplicates"
        )
    return times


def validate_downbeats(beats: Beats) -> Floats:
    """(n,) times of the beats at position 1 in seconds, increasing; n may be 0.

    Raises:
        TrackError: the beats are not increasing, or their positions are missing or wrong.
    """
    times = validate_events(beats.times, "beat")
    if beats.positions is None:
        raise TrackError(
            "beats have no positions: number the beats of each bar from 1, or leave the track out "
            "of this task"
        )
    positions = np.asarray(beats.positions)
    if positions.shape != times.shape:
        raise TrackError(
            f"{len(positions)} positions for {len(times)} beats: give one for each beat"
        )
    for i in np.flatnonzero(~((positions >= 1) & (positions == np.round(positions)))):
        raise TrackError(f"beat {i} has position {positions[i]}: count from 1, the downbeat")
    return np.asarray(times[positions == 1], dtype=np.float64)


def validate_tempo(tempo: float) -> float:
    """The tempo in beats per minute, finite and above 0.

    Raises:
        TrackError: it is not.
    """
    if not 0 < tempo < np.inf:
        raise TrackError(f"tempo {tempo}: give beats per minute, a number above 0")
    return tempo


def validate_emotion(emotion: tuple[float, float]) -> tuple[float, float]:
    """Valence and arousal, two finite numbers.

    Raises:
        TrackError: they are not.
    """
    if len(emotion) != 2 or not np.isfinite(emotion).all():
        raise TrackError(f"emotion {emotion}: give valence and arousal, two finite numbers")
    return emotion


def finite(text: str) -> float:
    """A finite number.

    Raises:
        ValueError: the text is not a finite number.
    """
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not isfinite(number) or "_" in text:  # Python reads 1_0 as 10
        raise ValueError("write a number")
    return number
