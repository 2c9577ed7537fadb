"""Readers of annotations: from a track of mirdata to a field of `Annotations`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mir_eval.io
import numpy as np

from mirprobe.core.schema import Beats, Segments
from mirprobe_tasks.datasets.normalise import drop_empty_segments, normalise_key

Reader = Callable[[Any], Any]
"""A track of mirdata -> the value of a field; None if the track has no such annotation."""


def read_fields(*names: str, **readers: Reader) -> dict[str, Reader]:
    """Field of `Annotations` -> its reader, for `MirdataDataset.fields`.

    Args:
        names: fields with the standard reader of `READERS`.
        readers: fields with another reader.
    """
    return {**{name: READERS[name] for name in names}, **readers}


def read_beats(data: Any) -> Beats | None:
    """Beats from BeatData of mirdata."""
    if data is None:
        return None
    positions = None if data.positions is None else np.asarray(data.positions).astype(np.int64)
    return Beats(np.asarray(data.times, dtype=np.float64), positions)


def read_sections(data: Any) -> Segments | None:
    """Sections from SectionData of mirdata."""
    return None if data is None else drop_empty_segments(data.intervals, data.labels)


def read_lab_chords(path: str | None) -> Segments | None:
    """Chords from a `.lab` file: start, end and Harte label in columns.

    Uses mir_eval, since mirdata refuses a whole song for one `X`, `sus2` or `11`. The tasks check
    the labels.

    Raises:
        ValueError: a line does not have these three columns.
    """
    if path is None:
        return None
    starts, ends, labels = mir_eval.io.load_delimited(path, [float, float, str])
    return drop_empty_segments(np.array([starts, ends]).T, labels)


def read_local_keys(data: Any) -> Segments | None:
    """Local keys from KeyData of mirdata.

    Raises:
        ValueError: a label is not a key.
    """
    return (
        None if data is None else drop_empty_segments(data.intervals, map(normalise_key, data.keys))
    )


def read_longest_key(data: Any) -> str | None:
    """The key with the longest total duration in KeyData of mirdata, the first of equal ones.

    Raises:
        ValueError: a label is not a key.
    """
    keys = read_local_keys(data)
    if keys is None:
        return None
    durations = dict.fromkeys(keys.labels, 0.0)
    for (start, end), label in zip(keys.intervals, keys.labels, strict=True):
        durations[label] += float(end - start)
    return max(durations, key=lambda label: durations[label])


def _read_tempo(track: Any) -> float | None:
    tempo = track.tempo
    return None if tempo is None else float(tempo)


READERS: dict[str, Reader] = {
    "beats": lambda track: read_beats(track.beats),
    "chords": lambda track: read_lab_chords(track.chords_path),
    "genre": lambda track: track.genre,
    "key": lambda track: read_longest_key(track.key),
    "keys": lambda track: read_local_keys(track.key),
    "sections": lambda track: read_sections(track.sections),
    "tempo": _read_tempo,
}
"""Field of `Annotations` -> reader of the attribute that most loaders of mirdata have for it."""
