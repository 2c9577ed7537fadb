"""Beat metrics per piece, averaged over pieces.

Conventions: beat times in seconds, increasing. The first `trim` seconds of reference and estimate
are excluded (mir_eval.beat.trim_beats). An empty estimate scores 0. Metrics of beat intervals are 0
if the reference or the estimate has fewer than two beats, as in mir_eval. A piece whose reference
has no beat after trimming is excluded from every mean. Values are in [0, 1].

Options of mir_eval: F-measure with a tolerance of 70 ms; continuity with phase and period
thresholds of 0.175; P-score with a tolerance of 0.2 of the median reference interval, at a
resolution of 10 ms.

Sources: Davies, Degara & Plumbley, Evaluation Methods for Musical Audio Beat Tracking Algorithms,
QMUL C4DM-TR-09-06, 2009 (MIREX audio beat tracking); McKinney et al., JNMR 36(1), 2007 (P-score);
mir_eval (Raffel et al., ISMIR 2014).
"""

from __future__ import annotations

from collections.abc import Sequence

import lazy_loader
import numpy as np

from mirprobe.core.bootstrap import Statistic, weighted_mean
from mirprobe.core.compiled import compiled
from mirprobe.core.schema import Floats
from mirprobe.metrics.events import event_scores

mir_eval = lazy_loader.load("mir_eval")  # its import takes longer than a run on finished cells

F_MEASURE_WINDOW = 0.07
CONTINUITY_PHASE = 0.175
CONTINUITY_PERIOD = 0.175
P_SCORE_WINDOW = 0.2
P_SCORE_RATE = 100

CONTINUITY = ("cmlc", "cmlt", "amlc", "amlt")

METRICS: dict[str, str] = {
    "f_measure": "F-measure of beats within 70 ms, mean over pieces",
    "cmlc": "longest continuously correct segment, annotated metrical level, thresholds 0.175",
    "cmlt": "all continuously correct segments, annotated metrical level, thresholds 0.175",
    "amlc": "as cmlc, also at double or half tempo and on the off-beat",
    "amlt": "as cmlt, also at double or half tempo and on the off-beat",
    "p_score": "P-score: beat pairs within 0.2 of the median interval, over the larger count",
}


def f_measure(reference: Floats, estimate: Floats) -> float:
    """F-measure of one piece (Dixon, JNMR 36(1), 2007); 0 if reference or estimate is empty."""
    return event_scores(reference, estimate, F_MEASURE_WINDOW)[0]


def continuity(reference: Floats, estimate: Floats) -> tuple[float, ...]:
    """CMLc, CMLt, AMLc, AMLt of one piece; 0 if either has fewer than two beats.

    The result equals mir_eval.beat.continuity, which loops over the estimated beats.
    """
    if len(reference) < 2 or len(estimate) < 2:
        return (0.0,) * len(CONTINUITY)
    mir_eval.beat.validate(reference, estimate)
    count = len(reference)
    double = np.interp(np.arange(2 * count - 1) / 2, np.arange(count), reference)
    levels = (reference, double[1::2].copy(), double, reference[::2].copy(), reference[1::2].copy())
    longest, correct = zip(*(_continuous(level, estimate) for level in levels), strict=True)
    return longest[0], correct[0], max(longest), max(correct)


@compiled
def _continuous(reference: Floats, estimate: Floats) -> tuple[float, float]:
    """Longest run of correct beats and all correct beats, over the larger number of beats.

    A beat is correct if its distance to the nearest reference beat, which no earlier correct beat
    has, and the difference of their intervals are below the thresholds. Intervals are those since
    the beat before. If either beat is the first of its sequence, they are those up to the next.
    """
    used = np.zeros(len(reference), dtype=np.bool_)
    longest = run = 0
    for own in range(len(estimate)):
        nearest = np.abs(estimate[own] - reference).argmin()
        end, own_end = nearest, own
        if nearest == 0 or own == 0:  # the last beat has only an interval before it
            end, own_end = min(nearest + 1, len(reference) - 1), min(own + 1, len(estimate) - 1)
        expected = reference[end] - reference[end - 1]
        correct = False
        if expected > 0 and not used[nearest]:
            phase = abs(estimate[own] - reference[nearest]) / expected
            period = abs(1 - (estimate[own_end] - estimate[own_end - 1]) / expected)
            correct = phase < CONTINUITY_PHASE and period < CONTINUITY_PERIOD
        used[nearest] |= correct
        run = run + 1 if correct else 0
        longest = max(longest, run)
    size = max(len(reference), len(estimate))
    return longest / size, used.sum() / size


def p_score(reference: Floats, estimate: Floats) -> float:
    """P-score of one piece; 0 if either has fewer than two beats.

    The result equals mir_eval.beat.p_score, which correlates impulse trains at a cost quadratic in
    the length of the piece. This function counts pairs of impulses instead.
    """
    if len(reference) < 2 or len(estimate) < 2:
        return 0.0
    origin = min(reference.min(), estimate.min())
    reference_at, estimate_at = (
        np.unique(np.ceil((beats - origin) * P_SCORE_RATE).astype(np.int64))
        for beats in (reference, estimate)
    )
    if len(reference_at) < 2:
        return 0.0
    window = int(np.round(P_SCORE_WINDOW * np.median(np.diff(reference_at))))
    first = np.searchsorted(estimate_at, reference_at - window, side="left")
    last = np.searchsorted(estimate_at, reference_at + window, side="right")
    return float((last - first).sum() / max(len(reference), len(estimate)))


def corpus_scores(
    references: Sequence[Floats],
    estimates: Sequence[Floats],
    trim: float,
    names: Sequence[str] = tuple(METRICS),
) -> dict[str, Statistic]:
    """Mean of the metrics called `names` over the pieces that have a reference beat after `trim` s.

    Raises:
        ValueError: beats are not increasing, or the lists differ in length.
    """
    pieces = [
        tuple(mir_eval.beat.trim_beats(beats, min_beat_time=trim) for beats in pair)
        for pair in zip(references, estimates, strict=True)
    ]
    weights = [float(len(reference) > 0) for reference, _ in pieces]
    values: dict[str, list[float]] = {}
    if not set(CONTINUITY).isdisjoint(names):  # much slower than the others
        levels = np.array([continuity(*pair) for pair in pieces])  # (pieces, 4)
        values = dict(zip(CONTINUITY, levels.T.tolist(), strict=True))
    for function in (f_measure, p_score):
        if function.__name__ in names:
            values[function.__name__] = [function(*pair) for pair in pieces]
    return {name: weighted_mean(values[name], weights) for name in names}
