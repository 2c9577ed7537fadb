"""A tune whose key and chords are known."""

from __future__ import annotations

import numpy as np

from mirprobe_tasks.pretraining_corpus.tunes import TICKS, Tune, voice

# Frère Jacques: bars of four quarters, in C
JACQUES = [
    *[(60, 1), (62, 1), (64, 1), (60, 1)] * 2,
    *[(64, 1), (65, 1), (67, 2)] * 2,
    *[(67, 0.5), (69, 0.5), (67, 0.5), (65, 0.5), (64, 1), (60, 1)] * 2,
    *[(60, 1), (55, 1), (60, 2)] * 2,
]


def make_tune(
    notes: list[tuple[int, float]], metre: str = "4/4", pickup: float = 0.0, up: int = 0
) -> Tune:
    starts = np.cumsum([0.0, *(length for _, length in notes)]) * TICKS
    line = voice(
        [
            (round(start), round(length * TICKS), pitch + up)
            for start, (pitch, length) in zip(starts, notes, strict=False)
        ]
    )
    return Tune("essenFolksong/made.abc#1", "", metre, round(pickup * TICKS), None, "", (line,))
