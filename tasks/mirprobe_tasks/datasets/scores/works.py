"""A work with its analysis as numbers, and the JSON file of all works."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mirprobe.core.atomic_write import write_whole
from mirprobe.core.errors import StorageError

ScoreNote = tuple[float, float, int]
"""Start and length in quarter notes, MIDI pitch."""
LabelSpan = tuple[float, float, str]
"""Start and end in quarter notes, label."""
ScoreBeat = tuple[float, int]
"""Time in quarter notes, position in the bar counted from 1."""


@dataclass(frozen=True)
class Work:
    """A composition with repeats expanded, in quarter notes from its start.

    Attributes:
        id: such as `"bwv269"`.
        title: from the analysis.
        group: the work, or its cycle.
        source: path of the score in music21's corpus.
        fit: share of the note weight (sum of durations) in the labelled chords.
        shift: semitones that transpose the edition to the key of the analysis.
        unplaced: number of numerals on a beat that the score does not have; they are left out.
        length: end of the last note.
        voices: notes of each part.
        chords: Harte labels without gaps; X where unknown, N in silence.
        keys: local keys without gaps, such as `"F# minor"`.
        beats: all of them, in order.
    """

    id: str
    title: str
    group: str
    source: str
    fit: float
    shift: int
    unplaced: int
    length: float
    voices: tuple[tuple[ScoreNote, ...], ...]
    chords: tuple[LabelSpan, ...]
    keys: tuple[LabelSpan, ...]
    beats: tuple[ScoreBeat, ...]


def write_works(path: Path, works: Sequence[Work], left_out: Mapping[str, str]) -> None:
    """Write works, and the reasons why other analyses are left out, atomically.

    Raises:
        StorageError: the folder cannot be written.
    """
    content = {"works": [asdict(work) for work in works], "left_out": dict(left_out)}
    write_whole(path, json.dumps(content, allow_nan=False).encode())


def read_works(path: Path) -> tuple[Work, ...]:
    """The works in a file of `write_works`.

    Raises:
        StorageError: the file cannot be read or is damaged.
    """
    try:
        return tuple(_work(fields) for fields in json.loads(path.read_bytes())["works"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise StorageError(
            f"{path}: not a file of works ({error}); delete it to read them again"
        ) from error


def _work(fields: dict[str, Any]) -> Work:
    rows = {name: tuple(tuple(row) for row in fields[name]) for name in ("chords", "keys", "beats")}
    voices = tuple(tuple(tuple(note) for note in voice) for voice in fields["voices"])
    return Work(**{**fields, **rows, "voices": voices})
