"""Chord recognition: major, minor and no chord."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from mirprobe.api.dataset import Dataset
from mirprobe.core.bootstrap import Statistic
from mirprobe.core.schema import Annotations, Floats, Level, Loss, Segments
from mirprobe.metrics import chord as metrics
from mirprobe_tasks.common.checks import parse_chord, required, validate_segments
from mirprobe_tasks.common.frame_grid import edges
from mirprobe_tasks.decoding.viterbi import uniform_viterbi

SELF_TRANSITIONS = (0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)


class Chord:
    """Frame-wise classification into 12 major chords, 12 minor chords and N.

    A frame takes the label of the segment that contains its centre. Labels that mir_eval's majmin
    does not compare (dim, aug, sus, power chords, X) and time outside all segments are -1: no
    target, and not scored by the metrics that exclude them too. `N` is an ordinary label and must
    be annotated.

    Decodings: `frame` takes each frame's best class; `viterbi` smooths with a self-transition.
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
        "viterbi": tuple({"self_transition": value} for value in SELF_TRANSITIONS),
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
        classes = logits.argmax(axis=1)
        if decoding == "viterbi":
            probabilities = log_softmax(logits.astype(np.float64), axis=1)
            classes = uniform_viterbi(probabilities, parameters["self_transition"])
        starts = np.flatnonzero(np.diff(classes, prepend=-1))
        times = edges(required(times, "frame times"))
        intervals = np.stack([times[starts], times[np.append(starts[1:], len(classes))]], axis=1)
        labels = tuple(self.labels[classes[start]] for start in starts)
        return Annotations(chords=Segments(intervals, labels))

    def score(
        self, references: Sequence[Annotations], estimates: Sequence[Annotations]
    ) -> dict[str, Statistic]:
        """WCSR over the corpus, segmentation and frame accuracy."""
        return metrics.corpus_scores(
            [required(track.chords, "chords") for track in references],
            [required(track.chords, "chords") for track in estimates],
        )
