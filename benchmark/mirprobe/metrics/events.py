"""Precision and recall of event times, which beat and onset metrics share.

The results equal mir_eval.util.match_events and mir_eval.util.f_measure (Raffel et al., ISMIR
2014). mir_eval solves the general problem of matching, about 50 times slower. Since all windows
have the same width, it is optimal to match each event with the earliest unmatched one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import lazy_loader

from mirprobe.core.schema import Floats

mir_eval = lazy_loader.load("mir_eval")  # its import takes longer than a run on finished cells


def event_scores(reference: Floats, estimate: Floats, window: float) -> tuple[float, float, float]:
    """F-measure, precision and recall of one piece; 0 if reference or estimate is empty.

    Args:
        reference: increasing times in seconds.
        estimate: increasing times in seconds.
        window: largest distance of a correct event in seconds.

    Raises:
        ValueError: times are not increasing.
    """
    if not len(reference) or not len(estimate):
        return 0.0, 0.0, 0.0
    for events in (reference, estimate):
        mir_eval.util.validate_events(events)
    hits = matches(reference.tolist(), estimate.tolist(), window)
    precision, recall = hits / len(estimate), hits / len(reference)
    return float(mir_eval.util.f_measure(precision, recall)), precision, recall


def matches(reference: Sequence[float], estimate: Sequence[float], window: float) -> int:
    """The size of the maximum matching of events at most `window` seconds apart.

    Args:
        reference: increasing times, as a list.
        estimate: increasing times, as a list.
        window: in seconds.
    """
    hits, index, count = 0, 0, len(reference)
    for time in estimate:
        earliest, latest = time - window, time + window
        while index < count and reference[index] < earliest:
            index += 1
        if index == count:
            break
        if reference[index] <= latest:
            hits += 1
            index += 1
    return hits


def labelled_event_scores(
    reference: Mapping[str, Floats], estimate: Mapping[str, Floats], window: float
) -> tuple[float, float, float]:
    """F-measure, precision and recall of the events of all labels of one piece.

    An estimate is correct if it matches a reference of the same label. The result for one label is
    that of `event_scores`.

    Args:
        reference: label -> increasing times in seconds.
        estimate: label -> increasing times in seconds.
        window: largest distance of a correct event in seconds.
    """
    total, found = (sum(map(len, events.values())) for events in (reference, estimate))
    if not total or not found:
        return 0.0, 0.0, 0.0
    hits = sum(
        matches(times.tolist(), estimate[label].tolist(), window)
        for label, times in reference.items()
        if label in estimate
    )
    precision, recall = hits / found, hits / total
    return float(mir_eval.util.f_measure(precision, recall)), precision, recall
