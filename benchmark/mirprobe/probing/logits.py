"""Logits of all probes of a cell, written while they are computed and read probe by probe."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mirprobe.probing.batches import READ
from mirprobe.probing.scratch import Scratch, Stored

WRITE_BYTES = 8 << 20

Logits = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class StoredLogits:
    """What one probe puts out for a split, track by track, read when it is asked for.

    Attributes:
        rows: (examples, labels).
        lengths: examples in each track.
    """

    rows: Stored
    lengths: Sequence[int]

    def __iter__(self) -> Iterator[Logits]:
        """The logits of each track, (time, labels); short tracks are read together."""
        start = first = 0
        held = self.rows.read(0, 0)
        for length in self.lengths:
            stop = start + length
            if stop > first + len(held):
                first, held = start, self.rows.read(start, max(stop, start + READ))
            yield held[start - first : stop - first]
            start = stop


def store_logits(
    room: Scratch, shape: tuple[int, int], lengths: Sequence[int], blocks: Iterable[Logits]
) -> list[StoredLogits]:
    """Write what several probes put out for the tracks of a split.

    Args:
        room: for them.
        shape: number of probes and of labels.
        lengths: examples in each track.
        blocks: the outputs for all examples in order, (probes, examples, labels) each.

    Returns:
        The logits of each probe.

    Raises:
        StorageError: the disk is full.
    """
    probes, labels = shape
    rows = [room.reserve(sum(lengths), labels) for _ in range(probes)]
    # one array for all blocks: small ones that stay would lie between large ones that go
    held = np.empty((probes, WRITE_BYTES // (4 * probes * labels) + 1, labels), np.float32)
    done = filled = 0

    def write() -> None:
        for own, values in zip(rows, held, strict=True):
            own.write(done, values[:filled])

    for block in blocks:
        for start in range(0, block.shape[1], held.shape[1]):
            part = block[:, start : start + held.shape[1]]
            if filled + part.shape[1] > held.shape[1]:
                write()
                done, filled = done + filled, 0
            held[:, filled : filled + part.shape[1]] = part
            filled += part.shape[1]
    write()
    return [StoredLogits(own, lengths) for own in rows]
