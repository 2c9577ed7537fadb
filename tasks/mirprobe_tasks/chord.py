"""Chord recognition: major, minor or no chord over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from mirprobe.api.dataset import Dataset
from mirprobe.core.bootstrap import Statistic
from mirprobe.core.schema import Annotations, Floats, Level, Loss, Segments
from mirprobe.metrics import chord as metrics
from mirprobe_tasks.common.checks import known_chord, required, sound_segments
from mirprobe_tasks.common.frame_grid import edges
from mirprobe_tasks.decoding.viterbi import uniform_viterbi

SELF_TRANSITIONS = (0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)


class Chord:
    """Frame-wise classification into 12 major chords, 12 minor chords and N.

    A frame takes the label of the segment that holds its centre. What mir_eval's majmin does not
    compare (dim, aug, sus, power chords, X) and time that no segment covers is -1: not trained
    on, and not scored by the metrics that cannot tell either. `N` is a label like any other and
    must be annotated.

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
        self.dataset = dataset.name

    def targets(self, annotations: Annotations, times: Floats | None) -> NDArray[np.int64]:
        """(time,) class of each frame, -1 outside the classes or the annotation.

        Raises:
            TrackError: no chords, malformed intervals, or a label that mir_eval.chord cannot read.
        """
        times = required(times, "frame times")
        chords = sound_segments(required(annotations.chords, "chords"))
        classes = np.array([known_chord(label) for label in chords.labels], dtype=np.int64)
        holder = np.searchsorted(chords.intervals[:, 0], times, side="right") - 1
        held = (holder >= 0) & (times < chords.intervals[holder, 1])
        return np.where(held, classes[holder], -1)

    def decode(
        self,
        logits: NDArray[np.float32],
        times: Floats | None,
        decoding: str,
        parameters: Mapping[str, float],
    ) -> Annotations:
        """Segments of equal class, whose boundaries lie half-way between frames."""
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
        """WCSR of the whole corpus, segmentation and frame accuracy."""
        return metrics.corpus_scores(
            [required(track.chords, "chords") for track in references],
            [required(track.chords, "chords") for track in estimates],
        )

    def conditions(self, references: Sequence[Annotations]) -> str:
        """Nothing more."""
        return ""
