"""Chord recognition: major, minor and no chord."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mirprobe.api.dataset import Dataset
from mirprobe.core.bootstrap import Statistic
from mirprobe.core.schema import Annotations, Floats, Level, Loss, Segments
from mirprobe.metrics import chord as metrics
from mirprobe_tasks.common.checks import parse_chord, required, validate_segments
from mirprobe_tasks.common.frame_grid import equal_segments, period
from mirprobe_tasks.decoding.viterbi import uniform_viterbi

JUMP_COSTS = (0.0, 1.0, 2.0, 4.0, 6.0, 8.0, 11.0, 15.0, 20.0, 28.0, 40.0)
"""In nats; see `uniform_viterbi`."""


class Chord:
    """Frame-wise classification into 12 major chords, 12 minor chords and N.

    A frame takes the label of the segment that contains its centre. Labels that mir_eval's majmin
    does not compare (dim, aug, sus, power chords, X) and time outside all segments are -1: no
    target, and not scored by the metrics that exclude them too. `N` is an ordinary label and must
    be annotated.

    Decodings: `frame` takes each frame's best class; `viterbi` smooths with a cost in nats
    for each change, which does not depend on the frame rate.
    """

    name = "chord"
    level: Level = "frame"
    annotation = "chords"
    loss: Loss = "multiclass"
    labels: tuple[str, ...] = metrics.LABELS
    main_metric = "majmin"
    metrics: Mapping[str, str] = metrics.METRICS
    decodings: Mapping[str, Sequence[Mapping[str, float]]] = {
        "frame": ({},),
        "viterbi": tuple({"jump_cost": value} for value in JUMP_COSTS),
    }

    def __init__(self, dataset: Dataset) -> None:
        pass  # the label space is the same for every data set

    def targets(self, annotations: Annotations, times: Floats | None) -> NDArray[np.int64]:
        """(time,) class of each frame, -1 outside the classes or outside all segments.

        Raises:
            TrackError: there are no chords, the intervals are malformed, or mir_eval.chord cannot
                read a label.
        """
        times = required(times, "frame times")
        chords = validate_segments(required(annotations.chords, "chords"))
        classes = np.array([parse_chord(label) for label in chords.labels], dtype=np.int64)
        segment = np.searchsorted(chords.intervals[:, 0], times, side="right") - 1
        inside = (segment >= 0) & (times < chords.intervals[segment, 1])
        return np.where(inside, classes[segment], -1)

    def decode(
        self,
        logits: NDArray[np.float32],
        times: Floats | None,
        decoding: str,
        parameters: Mapping[str, float],
    ) -> Annotations:
        """Segments of equal class; boundaries lie half-way between frames."""
        times = required(times, "frame times")
        if decoding == "viterbi":
            classes = uniform_viterbi(logits, 1 / period(times), parameters["jump_cost"])
        else:
            classes = logits.argmax(axis=1)
        return Annotations(chords=equal_segments(classes, times, self.labels))

    def score(
        self, references: Sequence[Annotations], estimates: Sequence[Annotations]
    ) -> dict[str, Statistic]:
        """WCSR over the corpus, segmentation and frame accuracy."""
        return metrics.corpus_scores(_chords(references), _chords(estimates))

    def score_main(
        self, references: Sequence[Annotations], estimates: Sequence[Annotations]
    ) -> Statistic:
        """WCSR of major and minor triads over the corpus."""
        pair = _chords(references), _chords(estimates)
        return metrics.corpus_scores(*pair, [self.main_metric])[self.main_metric]


def _chords(tracks: Sequence[Annotations]) -> list[Segments]:
    return [required(track.chords, "chords") for track in tracks]
