"""What mirdata's loaders return, as fields of `Annotations`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import mir_eval.io
import numpy as np

from mirprobe.core.schema import Beats, Floats, Segments
from mirprobe_tasks.datasets.mirdata.key_name import key_name

MERGE = 0.030
"""Seconds within which onsets are one: the strings of a strummed chord."""


def beats(data: Any) -> Beats | None:
    """mirdata's BeatData; None where the track has none."""
    if data is None:
        return None
    positions = None if data.positions is None else np.asarray(data.positions).astype(np.int64)
    return Beats(np.asarray(data.times, dtype=np.float64), positions)


def sections(data: Any) -> Segments | None:
    """mirdata's SectionData; None where the track has none."""
    return None if data is None else lasting(data.intervals, data.labels)


def lab_chords(path: str | None) -> Segments | None:
    """A `.lab` file of chords: start, end and Harte label in columns; None where there is none.

    Read with mir_eval rather than mirdata, whose check of labels refuses a whole song for one `X`,
    `sus2` or `11`. Labels are checked where chords are learned and scored.

    Raises:
        ValueError: a line that has not these three columns.
    """
    if path is None:
        return None
    starts, ends, labels = mir_eval.io.load_delimited(path, [float, float, str])
    return lasting(np.array([starts, ends]).T, labels)


def keys(data: Any) -> Segments | None:
    """The local keys of mirdata's KeyData; None where the track has none.

    Raises:
        ValueError: a label that is no key.
    """
    return None if data is None else lasting(data.intervals, map(key_name, data.keys))


def longest_key(data: Any) -> str | None:
    """The key that lasts longest in all, of mirdata's KeyData; None where the track has none.

    A song that modulates has no other single key; the first of equally long ones counts.

    Raises:
        ValueError: a label that is no key.
    """
    local = keys(data)
    if local is None:
        return None
    lasts = dict.fromkeys(local.labels, 0.0)
    for (start, end), name in zip(local.intervals, local.labels, strict=True):
        lasts[name] += float(end - start)
    return max(lasts, key=lambda name: lasts[name])


def lasting(intervals: Floats, labels: Iterable[str]) -> Segments:
    """The segments that last: those without duration, which some annotators leave, fall out."""
    intervals = np.asarray(intervals, dtype=np.float64).reshape(-1, 2)
    kept = intervals[:, 1] != intervals[:, 0]
    return Segments(
        intervals[kept],
        tuple(str(label) for label, keep in zip(labels, kept, strict=True) if keep),
    )


def merged(onsets: Floats) -> Floats:
    """(n,) onset times, sorted; one that follows a kept one within `MERGE` is that one."""
    kept: list[float] = []
    for onset in np.sort(np.asarray(onsets, dtype=np.float64)).tolist():
        if not kept or onset - kept[-1] > MERGE:
            kept.append(onset)
    return np.array(kept, dtype=np.float64)
