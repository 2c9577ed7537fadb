"""The decoders as array operations in NumPy: references in tests and in benchmarks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mirprobe.core.schema import Floats
from mirprobe_tasks.decoding.dbn import Ints, beat_frames


def viterbi_path(scores: Floats, jump_cost: float) -> NDArray[np.int64]:
    """As `mirprobe_tasks.decoding.viterbi.best_path`, one frame at a time."""
    frames, classes = scores.shape
    came_from = np.empty((frames, classes), dtype=np.int64)
    itself = np.arange(classes)
    total = scores[0]
    for frame in range(1, frames):
        best = int(total.argmax())
        jumping = total[best] - jump_cost
        came_from[frame] = np.where(total >= jumping, itself, best)
        total = np.maximum(total, jumping) + scores[frame]
    path = np.empty(frames, dtype=np.int64)
    path[-1] = total.argmax()
    for frame in range(frames - 1, 0, -1):
        path[frame - 1] = came_from[frame, path[frame]]
    return path


def best_beats(
    on_beat: Floats, off_beat: Floats, intervals: Ints, changes: Floats
) -> tuple[Ints, Ints]:
    """As `mirprobe_tasks.decoding.dbn.best_beats`, as many boundaries at a time as can be."""
    frames, tempos, pad = len(on_beat), len(intervals), int(intervals[-1])
    on = np.cumsum(np.pad(on_beat, (pad + 1, pad)))
    off = np.cumsum(np.pad(off_beat, (pad + 1, pad)))
    start = np.arange(pad + frames)[:, None]  # row r: the boundary before frame r - pad
    head, tail = start + beat_frames(intervals), start + intervals
    score = on[head] - on[start] + off[tail] - off[head]  # (boundaries, tempos)
    score[: pad + 1][start[: pad + 1] <= pad - intervals] = -np.inf  # beats that end before frame 0

    came_from = np.zeros((pad + frames, tempos), dtype=np.int64)
    changes = np.ascontiguousarray(changes.T)  # (after, before)
    column = np.arange(tempos)
    # boundaries closer than the shortest interval are independent of each other
    for first in range(pad + 1, pad + frames, int(intervals[0])):
        rows = slice(first, min(first + int(intervals[0]), pad + frames))
        ended = score[start[rows] - intervals, column]  # (boundaries, before)
        arrivals = ended[:, None, :] + changes  # (boundaries, after, before)
        best = arrivals.argmax(axis=2)
        came_from[rows] = best
        score[rows] += np.take_along_axis(arrivals, best[:, :, None], axis=2)[:, :, 0]

    open_end = np.where(tail >= pad + frames, score, -np.inf)  # the last beat of the track
    row, tempo = divmod(int(open_end.argmax()), tempos)
    beats = [(row, tempo)]
    while row > pad:
        tempo = int(came_from[row, tempo])
        row -= int(intervals[tempo])
        beats.append((row, tempo))
    path = np.array(beats[::-1], dtype=np.int64)
    starts, lengths = path[:, 0] - pad, intervals[path[:, 1]]
    sounding = starts + beat_frames(lengths) > 0
    return starts[sounding], lengths[sounding]
