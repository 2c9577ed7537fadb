"""Annotation files of a track: `.lab`, `.beats` and JAMS."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mirprobe.core.errors import TrackError
from mirprobe.core.schema import Beats, Segments
from mirprobe_tasks.common.checks import finite, parse_chord, validate_events, validate_segments
from mirprobe_tasks.datasets.folder.jams import Values, make_beats, read_jams, whole
from mirprobe_tasks.datasets.normalise import drop_empty_segments, normalise_key

Lines = Sequence[tuple[int, list[str]]]


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
    text = _text(path)
    try:
        if kind == "jams":
            return read_jams(text, chosen or {})
        if kind == "beats":
            return {"beats": _beats(_lines(text))}
        return {kind: _segments(_lines(text), kind)}
    except TrackError as error:
        raise ValueError(str(error)) from error


ReadLocal = Callable[[str, Path, Mapping[str, tuple[str, int]]], Values]


def read_events(kind: str, path: Path, chosen: Mapping[str, tuple[str, int]]) -> Values:
    """Events in a file with lines of a time and, if wanted, a label; one line has one if all have.

    Raises:
        ValueError: the file cannot be read; the message names the line.
    """
    times: dict[str, list[float]] = {}
    for number, columns in _lines(_text(path), 1):
        try:
            times.setdefault(columns[1] if len(columns) > 1 else "", []).append(finite(columns[0]))
        except ValueError:
            raise ValueError(f"line {number}: write a time and, if wanted, a label") from None
    if "" in times and len(times) > 1:
        raise ValueError("some lines have a label and others none; give all one, or none")
    events: dict[str, Beats] = {}
    for label, found in times.items():
        try:
            events[label] = Beats(validate_events(np.sort(found), label or kind))
        except TrackError as error:
            raise ValueError(str(error)) from error
    if set(times) <= {""}:
        return {kind: events.get("", Beats(np.empty(0)))}
    return {kind: events}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror or error})") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"is not text in UTF-8 ({error})") from error


def _lines(text: str, splits: int = 2) -> Lines:
    return [
        (number, line.split(None, splits))
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip() and not line.startswith("#")
    ]


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
        if isinstance(value, Mapping) and all(isinstance(v, Beats) for v in value.values()):
            return {label: within(one) for label, one in value.items()}
        if isinstance(value, np.ndarray):
            return value[(value >= start) & (value < end)] - start
        return value

    return {field: within(value) for field, value in values.items()}


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
            other = "; if these are sections rather than chords, write `beside: {sections: .lab}`"
            raise ValueError(
                f"line {number}: {error}{other if kind == 'chords' else ''}"
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
            positions.extend(whole(finite(column)) for column in columns[1:2])
            if len(columns) > 2:
                raise ValueError
        except ValueError:
            raise ValueError(
                f"line {number}: write a time and, if known, the position in the bar as a whole "
                "number"
            ) from None
    return make_beats(times, positions)
