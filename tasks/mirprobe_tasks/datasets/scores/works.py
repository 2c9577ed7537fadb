"""A work with its analysis as numbers, and the file that keeps what was read of the corpus."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mirprobe.core.atomic_write import write_whole
from mirprobe.core.errors import StorageError

Note = tuple[float, float, int]
"""Start and length in quarter notes, MIDI pitch."""
Span = tuple[float, float, str]
"""Start and end in quarter notes, label."""
Beat = tuple[float, int]
"""Position in quarter notes, place in the bar from 1 on."""


@dataclass(frozen=True)
class Work:
    """A composition, its repeats played, in quarter notes from its start.

    Attributes:
        id: such as `"bwv269"`.
        title: as the analysis has it.
        group: the work, or the cycle whose part it is: what a split must not tear apart.
        source: path of the score in music21's corpus.
        fit: share of the note weight (notes by their durations) that lies in the labelled chords.
        shift: semitones by which the edition had to be moved to stand in the analysis's key.
        unplaced: numerals that name a beat which the score does not have; they are left out.
        length: until the last note has ended.
        voices: notes of each part.
        chords: Harte labels without gaps; X where there is none, N in silence.
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
    voices: tuple[tuple[Note, ...], ...]
    chords: tuple[Span, ...]
    keys: tuple[Span, ...]
    beats: tuple[Beat, ...]


def write_works(path: Path, works: Sequence[Work], left_out: Mapping[str, str]) -> None:
    """Keep works, and why other analyses are left out; whole or not at all.

    Raises:
        StorageError: the folder cannot be written.
    """
    content = {"works": [asdict(work) for work in works], "left_out": dict(left_out)}
    write_whole(path, json.dumps(content, allow_nan=False).encode())


def read_works(path: Path) -> tuple[Work, ...]:
    """The works that `write_works` kept.

    Raises:
        StorageError: the file cannot be read or is damaged.
    """
    try:
        return tuple(_work(fields) for fields in json.loads(path.read_bytes())["works"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise StorageError(
            f"{path}: not what was read of the scores ({error}); delete it to read them again"
        ) from error


def _work(fields: dict[str, Any]) -> Work:
    rows = {name: tuple(tuple(row) for row in fields[name]) for name in ("chords", "keys", "beats")}
    voices = tuple(tuple(tuple(note) for note in voice) for voice in fields["voices"])
    return Work(**{**fields, **rows, "voices": voices})
