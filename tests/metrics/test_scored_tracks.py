"""How many tracks each metric scores, where it leaves some out."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from mirprobe.core.bootstrap import Statistic, mean, weighted_mean
from mirprobe.core.confidence_intervals import jackknife
from mirprobe.core.schema import Segments
from mirprobe.metrics import beat, chord, key, onset, structure, tagging

EMPTY, TIMES = np.zeros(0), np.array([1.0, 2.0, 3.0])
LATE = np.array([0.0, 4.9])


def segments(*labels: str) -> Segments:
    edges = np.arange(len(labels) + 1, dtype=np.float64)
    return Segments(np.stack([edges[:-1], edges[1:]], axis=1), labels)


KEYS = ["C major", "X", "A minor", "D other"]
CHORDS = [segments("C:maj"), segments("C:sus4"), segments("X"), segments("C:maj7", "N")]
SECTIONS = [segments("verse"), segments("verse", "chorus"), segments("a", "b", "c")]
TAGS = np.array([[1, 0], [0, 1], [1, 1]], dtype=bool)


@pytest.mark.parametrize(
    ("statistics", "n", "expected"),
    [
        (key.corpus_scores(KEYS, ["C major"] * 4), 4, dict.fromkeys(key.METRICS, 2)),
        (
            beat.corpus_scores([TIMES, EMPTY, LATE], [TIMES] * 3, trim=0.0),
            3,
            dict.fromkeys(beat.METRICS, 2),
        ),
        (
            beat.corpus_scores([TIMES + 5, EMPTY, LATE], [TIMES] * 3, trim=5.0),
            3,
            dict.fromkeys(beat.METRICS, 1),
        ),
        (onset.corpus_scores([TIMES, EMPTY], [TIMES] * 2), 2, dict.fromkeys(onset.METRICS, 1)),
        (
            chord.corpus_scores(CHORDS, [segments("C:maj")] * 4),
            4,
            {**dict.fromkeys(chord.METRICS, 2), "root": 3, "mirex": 3, "thirds": 3, "triads": 3}
            | {"seg": 4},
        ),
        (
            structure.corpus_scores(SECTIONS, SECTIONS),
            3,
            {"hr05": 2, "hr3": 2, "pairwise_f": 3},
        ),
        (tagging.corpus_scores(TAGS, TAGS.astype(float)), 3, {"map": 3, "roc_auc": 3}),
    ],
)
def test_tracks_that_a_metric_leaves_out_are_not_counted(
    statistics: Mapping[str, Statistic], n: int, expected: Mapping[str, int]
) -> None:
    assert {name: one.tracks for name, one in statistics.items()} == expected
    assert {one.n for one in statistics.values()} == {n}


def test_a_mean_counts_as_its_parts_and_has_their_interval() -> None:
    one = weighted_mean([1.0, 2.0, 6.0], [1.0, 0.0, 2.0])
    assert mean([one, one]).tracks == 2
    assert jackknife(mean([one, one]), range(3)).interval == jackknife(one, range(3)).interval
