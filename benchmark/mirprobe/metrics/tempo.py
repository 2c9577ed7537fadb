"""Tempo metrics over a corpus of tracks with one tempo each.

Conventions: tempi in beats per minute, above 0. An estimate is correct if it is within 4 % of the
reference, including the bounds. Accuracy 2 also accepts estimates within 4 % of 2, 3, 1/2 or 1/3
times the reference. Values are in [0, 1].

`CLASSES` divides each octave of tempo into 24 equal steps, since the tolerance is relative. The
centre of a class is within 1.46 % of every tempo in the class. The classes therefore do not limit
the accuracies: an estimate of the correct class is correct in both.

Source: Gouyon et al., An experimental comparison of audio tempo induction algorithms, IEEE TASLP
14(5), 2006.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mirprobe.core.bootstrap import Statistic, weighted_mean
from mirprobe.core.schema import Floats

TOLERANCE = 0.04
OCTAVE_ERRORS = (1.0, 2.0, 3.0, 1 / 2, 1 / 3)

SLOWEST = 30.0
STEPS = 24
OCTAVES = 3

METRICS: dict[str, str] = {
    "acc1": "accuracy 1: fraction of tracks within 4 % of the reference tempo",
    "acc2": "accuracy 2: fraction of tracks within 4 % of 1, 2, 3, 1/2 or 1/3 times the reference",
}

CLASSES: Floats = SLOWEST * 2 ** ((np.arange(STEPS * OCTAVES) + 0.5) / STEPS)
"""(72,) centres of the classes in beats per minute, 30.4 to 236.6; the classes cover 30 to 240."""


def tempo_class(tempo: float) -> int:
    """Index in `CLASSES` of a tempo above 0; -1 outside 30 to 240 beats per minute."""
    step = int(np.floor(STEPS * np.log2(tempo / SLOWEST)))
    return step if 0 <= step < len(CLASSES) else -1


def corpus_scores(references: Sequence[float], estimates: Sequence[float]) -> dict[str, Statistic]:
    """Accuracy 1 and 2 over the tracks.

    Raises:
        ValueError: the lists differ in length.
    """
    pairs = list(zip(references, estimates, strict=True))
    return {
        "acc1": weighted_mean([_close(estimate, reference) for reference, estimate in pairs]),
        "acc2": weighted_mean(
            [
                any(_close(estimate, factor * reference) for factor in OCTAVE_ERRORS)
                for reference, estimate in pairs
            ]
        ),
    }


def _close(estimate: float, reference: float) -> bool:
    # the factor absorbs rounding errors: 104 is within 4 % of 100
    return abs(estimate - reference) <= TOLERANCE * reference * (1 + 1e-9)
