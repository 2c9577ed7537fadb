"""Schedules of the training: pure functions of the step, so that a resumed run needs no memory."""

from __future__ import annotations

from math import cos, pi


def cosine(step: int, *, steps: int, first: float, last: float) -> float:
    """Half a cosine from `first` at step 0 to `last` at step `steps - 1`; constant outside.

    Source: Loshchilov and Hutter 2017 (SGDR, eq. 5, one cycle).
    """
    progress = min(max(step / max(steps - 1, 1), 0.0), 1.0)
    return last + (first - last) * (1 + cos(pi * progress)) / 2


def warmup_cosine(step: int, *, steps: int, warmup: int, peak: float, last: float) -> float:
    """A straight line to `peak`, reached at step `warmup`, then `cosine` down to `last`.

    Step 0 already moves: its value is `peak / (warmup + 1)`.

    Args:
        step: counted from 0.
        steps: of the whole training; `last` is reached at step `steps - 1`.
        warmup: steps before the peak.
        peak: the highest value.
        last: the value of the last step.
    """
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    return cosine(step - warmup, steps=steps - warmup, first=peak, last=last)
