"""Frames of a track reduced over time: what clip tasks read beside the encoder's own vectors."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mirprobe.core.schema import Frames
from mirprobe.probing.batches import READ

Rows = NDArray[np.float32]


def pool_over_time(frames: Frames, pooling: str) -> Rows:
    """The largest value of each dimension over time, or its mean and standard deviation.

    Args:
        frames: (time, layers, dim).
        pooling: `max` or `mean+std`.

    Returns:
        (layers, dim), or (layers, 2 * dim) for `mean+std`.
    """
    if pooling == "max":
        largest: Rows = np.stack([block.max(axis=0) for block in _blocks(frames)]).max(axis=0)
        return largest
    total = [block.sum(axis=0, dtype=np.float64) for block in _blocks(frames)]
    mean = np.sum(total, axis=0) / frames.shape[0]
    square = [np.square(block - mean).sum(axis=0) for block in _blocks(frames)]
    deviation = np.sqrt(np.sum(square, axis=0) / frames.shape[0])
    return np.concatenate([mean, deviation], axis=1).astype(np.float32)


def mean_of_parts(frames: Frames, count: int) -> Rows:
    """The mean of each of `count` parts of equal length: (layers, count, dim).

    A part has the frames that it touches. Where there are fewer frames than parts, frames repeat.
    """
    time = frames.shape[0]
    whole = frames.read() if time <= READ else None
    parts = []
    for part in range(count):
        start, stop = part * time // count, -(-(part + 1) * time // count)
        rows = frames.read(start, stop) if whole is None else whole[start:stop]
        parts.append(rows.mean(axis=0, dtype=np.float32))
    return np.stack(parts, axis=1)


def joined(rows: list[Rows]) -> Rows:
    """Vectors of several poolings as one array; the shorter ones end in zeros, which no probe sees.

    Args:
        rows: (variants, dim) each.

    Returns:
        (all variants, largest dim).
    """
    width = max(own.shape[1] for own in rows)
    return np.concatenate([np.pad(own, ((0, 0), (0, width - own.shape[1]))) for own in rows])


def _blocks(frames: Frames) -> Iterator[Rows]:
    for start in range(0, frames.shape[0], READ):
        stop = min(start + READ, frames.shape[0])
        yield frames.read(start, stop).astype(np.float32)
