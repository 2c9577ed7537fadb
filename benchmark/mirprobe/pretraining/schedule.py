"""Schedules of the learning rate and the weight decay: pure functions of the progress.

Progress is counted in steps, or in seconds for a training that is limited by time. A resumed
training needs no other state.
"""

from __future__ import annotations

from math import cos, pi


def cosine(step: float, *, steps: float, first: float, last: float) -> float:
    """Half a cosine from `first` at step 0 to `last` at step `steps - 1`; constant outside.

    Source: Loshchilov and Hutter 2017 (SGDR, eq. 5, one cycle).
    """
    progress = min(max(step / max(steps - 1, 1), 0.0), 1.0)
    return last + (first - last) * (1 + cos(pi * progress)) / 2


def warmup_cosine(step: float, *, steps: float, warmup: float, peak: float, last: float) -> float:
    """A linear rise to `peak` at step `warmup`, then `cosine` down to `last`.

    The value at step 0 is `peak / (warmup + 1)`, not 0.

    Args:
        step: steps done, from 0.
        steps: steps of the whole training; `last` is reached at step `steps - 1`.
        warmup: steps before the peak.
        peak: the highest value.
        last: the value of the last step.
    """
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    return cosine(step - warmup, steps=steps - warmup, first=peak, last=last)
