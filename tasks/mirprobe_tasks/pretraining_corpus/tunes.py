"""Tunes as arrays, in one compact file that only needs numpy.

The file is an .npz without pickles, with five arrays:

- `header`, uint8: UTF-8 JSON, an object with `format`, `ticks` (per quarter note), `source` (the
  program that read the notes) and `left_out` (excluded tunes with reasons).
- `tunes`, uint8: UTF-8 JSON, a list of `[id, title, metre, pickup, sharps, mode, counts]` per tune.
  `counts` has the number of notes of each voice. `id` is the path in the corpus, with `#number` if
  a file has several tunes. `metre` is a time signature such as "6/8", or "" if it is unknown or
  changes. `pickup` is the length before the first downbeat in ticks. `sharps` is the key signature,
  negative for flats, or null; `mode` is as printed, or "".
- `rests`, `durations`, uint32, and `pitches`, uint8: the notes of all voices of all tunes in
  sequence. A note starts `rests` ticks after the end of the previous note of its voice, or after
  the start of the tune, and lasts `durations` ticks at the MIDI pitch `pitches`.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mirprobe.core.atomic_write import replacing
from mirprobe.core.errors import StorageError

TICKS = 48
"""Ticks per quarter note; divisible into triplets and 64th notes."""

_FORMAT = "mirprobe.tunes.1"
Ticks = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Voice:
    """A monophonic sequence of notes.

    Attributes:
        onsets: (n,) ticks from the start of the tune, ascending.
        durations: (n,) ticks, positive.
        pitches: (n,) MIDI numbers.
    """

    onsets: Ticks
    durations: Ticks
    pitches: Ticks

    @property
    def end(self) -> int:
        """End of the last note, in ticks."""
        return int(self.onsets[-1] + self.durations[-1]) if len(self.onsets) else 0


@dataclass(frozen=True, eq=False)
class Tune:
    """A piece of the corpus; for the attributes see the module."""

    id: str
    title: str
    metre: str
    pickup: int
    sharps: int | None
    mode: str
    voices: tuple[Voice, ...]


@dataclass(frozen=True, eq=False)
class Tunes:
    """The content of a file: header and tunes."""

    header: Mapping[str, Any]
    tunes: tuple[Tune, ...]


def voice(notes: Sequence[tuple[int, int, int]]) -> Voice:
    """A voice from (onset, duration, pitch).

    Of notes with the same onset, the highest is kept. A note ends at the onset of the next one.
    """
    highest = {onset: (length, pitch) for onset, length, pitch in sorted(notes, key=lambda n: n[2])}
    onsets = np.array(sorted(highest), np.int64)
    rest = np.array([highest[int(onset)] for onset in onsets], np.int64).reshape(-1, 2)
    room = np.append(np.diff(onsets), np.iinfo(np.int64).max)
    return Voice(onsets, np.minimum(rest[:, 0], room), rest[:, 1])


def write_tunes(path: Path, tunes: Sequence[Tune], header: Mapping[str, Any]) -> None:
    """Write a file of tunes, atomically.

    Raises:
        StorageError: the disk cannot be written.
    """
    voices = [line for tune in tunes for line in tune.voices]
    rests = [np.diff(v.onsets, prepend=0) - np.append(0, v.durations[:-1]) for v in voices]
    rows = [
        [t.id, t.title, t.metre, t.pickup, t.sharps, t.mode, [len(v.onsets) for v in t.voices]]
        for t in tunes
    ]
    encoded = io.BytesIO()
    np.savez_compressed(
        encoded,
        header=_text({"format": _FORMAT, "ticks": TICKS, **header}),
        tunes=_text(rows),
        rests=_joined(rests, np.uint32),
        durations=_joined([v.durations for v in voices], np.uint32),
        pitches=_joined([v.pitches for v in voices], np.uint8),
    )
    with replacing(path) as file:
        file.write(encoded.getvalue())


def read_tunes(path: Path) -> Tunes:
    """Read a file of tunes.

    Raises:
        StorageError: the file is missing, damaged, or of another format.
    """
    try:
        # from memory, since numpy does not close a damaged file
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            header = json.loads(file["header"].tobytes())
            rows = json.loads(file["tunes"].tobytes())
            rests, durations = file["rests"].astype(np.int64), file["durations"].astype(np.int64)
            pitches = file["pitches"].astype(np.int64)
        if header["format"] != _FORMAT or header["ticks"] != TICKS:
            raise ValueError(f"format {header['format']!r}, expected {_FORMAT!r}")
        if sum(sum(row[-1]) for row in rows) != len(rests):
            raise ValueError("the number of notes differs from that in `tunes`")
    except FileNotFoundError as error:
        raise StorageError(f"{path}: no file of tunes; extract them first") from error
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise StorageError(f"{path}: damaged or not a file of tunes ({error})") from error
    tunes, start = [], 0
    for id, title, metre, pickup, sharps, mode, counts in rows:
        voices = []
        for count in counts:
            part = slice(start, start + count)
            start += count
            ends = np.cumsum(rests[part] + durations[part])
            voices.append(Voice(ends - durations[part], durations[part], pitches[part]))
        tunes.append(Tune(id, title, metre, pickup, sharps, mode, tuple(voices)))
    return Tunes(header, tuple(tunes))


def _text(value: Any) -> NDArray[np.uint8]:
    return np.frombuffer(json.dumps(value, ensure_ascii=False).encode(), np.uint8)


def _joined(arrays: Sequence[Ticks], dtype: Any) -> NDArray[Any]:
    joined = np.concatenate([np.empty(0, np.int64), *arrays])
    if len(joined) and (joined.min() < 0 or joined.max() > np.iinfo(dtype).max):
        raise ValueError("notes of a voice overlap, or a number is too large for the file")
    return joined.astype(dtype)
