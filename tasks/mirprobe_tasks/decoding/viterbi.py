"""Viterbi decoding with one cost for every change of class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mirprobe.core.compiled import compiled
from mirprobe.core.schema import Floats

REFERENCE_RATE = 10.0
"""Frames per second at which every frame counts as one independent observation."""


def uniform_viterbi(
    logits: NDArray[np.floating], frame_rate: float, jump_cost: float
) -> NDArray[np.int64]:
    """The path with the highest score (Viterbi, 1967), if every change of class costs the same.

    The score of a path is the sum of its log probabilities over time, in nats, minus `jump_cost`
    for each change of class. Neighbouring frames hear almost the same sound, so that a higher frame
    rate adds frames but little evidence. Each frame therefore has the weight `REFERENCE_RATE` /
    `frame_rate`: the sum over one second does not depend on the frame rate, and one cost means the
    same at every frame rate. At the reference rate, a cost of log(s (C - 1) / (1 - s)) is that of a
    hidden Markov model of C classes with the self-transition probability s and a uniform initial
    distribution. What is added to all logits of a frame does not change the path, so that logits
    need no normalisation.

    The best change comes from the best class, so that a frame costs O(classes) instead of
    O(classes ** 2). Of paths with equal scores, one that stays in a class is preferred.

    Args:
        logits: (time, classes) log probability of each class, up to a constant for each frame.
        frame_rate: frames per second.
        jump_cost: in nats, 0 (no smoothing) or more.

    Returns:
        (time,) class of each frame.

    Raises:
        ValueError: `jump_cost` is negative or not a number.
    """
    if not jump_cost >= 0:
        raise ValueError(f"jump_cost must be at least 0 nats, not {jump_cost}")
    return best_path(logits.astype(np.float64) * (REFERENCE_RATE / frame_rate), float(jump_cost))


@compiled
def best_path(scores: Floats, jump_cost: float) -> NDArray[np.int64]:
    """The path with the highest sum of scores (time, classes) minus the costs of its changes."""
    frames, classes = scores.shape
    leaders = np.empty(frames, dtype=np.int64)  # best class of the frame before
    jumped = np.empty((frames, classes), dtype=np.bool_)
    total = scores[0].copy()
    for frame in range(1, frames):
        best = total.argmax()
        jumping = total[best] - jump_cost
        leaders[frame] = best
        for own in range(classes):
            jumped[frame, own] = total[own] < jumping
            total[own] = max(total[own], jumping) + scores[frame, own]

    path = np.empty(frames, dtype=np.int64)
    path[-1] = total.argmax()
    for frame in range(frames - 1, 0, -1):
        own = path[frame]
        path[frame - 1] = leaders[frame] if jumped[frame, own] else own
    return path
