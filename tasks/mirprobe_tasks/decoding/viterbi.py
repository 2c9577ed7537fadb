"""Viterbi decoding with one self-transition probability for all classes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mirprobe.core.schema import Floats


def uniform_viterbi(log_probabilities: Floats, self_transition: float) -> NDArray[np.int64]:
    """Viterbi path (Viterbi, 1967) with one self-transition probability for all classes.

    All changes of class have the same probability; the initial distribution is uniform. The best
    change therefore comes from the best class, so that a frame costs O(classes) instead of
    O(classes ** 2).

    Args:
        log_probabilities: (time, classes) log probability of each class in each frame.
        self_transition: probability that the next frame has the same class, at least 1 / classes
            (no smoothing) and below 1.

    Returns:
        (time,) class of each frame.

    Raises:
        ValueError: `self_transition` is out of range, or there is only one class.
    """
    frames, classes = log_probabilities.shape
    if classes < 2 or not 1 / classes <= self_transition < 1:
        raise ValueError(
            f"self_transition must be in [1 / {classes}, 1) over at least two classes, not "
            f"{self_transition}"
        )
    stay = np.log(self_transition)
    jump = np.log((1 - self_transition) / (classes - 1))
    came_from = np.empty((frames, classes), dtype=np.int64)
    itself = np.arange(classes)
    score = np.asarray(log_probabilities[0], dtype=np.float64)
    for frame in range(1, frames):
        best = int(score.argmax())
        staying, jumping = score + stay, score[best] + jump
        came_from[frame] = np.where(staying >= jumping, itself, best)
        score = np.maximum(staying, jumping) + log_probabilities[frame]

    path = np.empty(frames, dtype=np.int64)
    path[-1] = score.argmax()
    for frame in range(frames - 1, 0, -1):
        path[frame - 1] = came_from[frame, path[frame]]
    return path
