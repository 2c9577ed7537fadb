"""Structure analysis: section boundaries and section functions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d
from scipy.special import expit

from mirprobe.api.dataset import Dataset
from mirprobe.core.bootstrap import Statistic
from mirprobe.core.peak_picking import pick_peaks
from mirprobe.core.schema import Annotations, Floats, Level, Loss, Segments
from mirprobe.metrics import structure as metrics
from mirprobe_tasks.common.activation import activation
from mirprobe_tasks.common.checks import required, validate_segments
from mirprobe_tasks.common.frame_grid import edges, period

WIDENING = 0.5
"""Seconds on either side of a boundary: the target falls off over them, and the activation is
averaged over them before peaks are picked."""

MIN_DISTANCE = 4.0
"""Least seconds between two boundaries."""

THRESHOLDS = (0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.2)

FUNCTIONS = {
    "intro": ("intro", "opening", "fadein"),
    "outro": ("outro", "coda", "ending", "fadeout"),
    "verse": ("prechorus", "verse", "rap", "build"),
    "chorus": ("chorus", "refrain", "hook", "theme"),
    "bridge": ("bridge", "middle", "transition"),
    "inst": ("inst", "solo", "interlude", "break", "impro"),
    "silence": ("silence", "nothing"),
}
"""Function -> words that name it in a label."""

_WORDS = {word: function for function, words in FUNCTIONS.items() for word in words}
_WORD = re.compile("|".join(_WORDS))


def section_function(label: str) -> str | None:
    """The function that the first known word of a label names: `"Pre-Chorus 2"` is a verse.

    None for a label without a known word, such as `"A"` or `"B'"`.
    """
    found = _WORD.search(re.sub(r"[^a-z]", "", label.lower()))
    return _WORDS[found.group()] if found else None


class Structure:
    """Frame-wise activations of section boundaries and of seven section functions.

    A probe on one frame cannot compare sections. It therefore predicts the function of the section,
    in the seven classes of Wang, Hung & Smith (ICASSP 2022); two sections with the same function
    are estimated as similar. A label that names no function, such as "A", is no target for a
    function but is scored as annotated. The ceiling shows the loss.

    The boundary target is 1 on the frame nearest to a boundary inside the piece and falls off
    linearly over `WIDENING`. The decoding averages the activation over `WIDENING` on either side,
    picks peaks above a threshold, and gives each section the function with the highest mean logit.
    """

    name = "structure"
    level: Level = "frame"
    annotation = "sections"
    loss: Loss = "multilabel"
    labels: tuple[str, ...] = ("boundary", *FUNCTIONS)
    main_metric = "hr05"
    metrics: Mapping[str, str] = metrics.METRICS
    decodings: Mapping[str, Sequence[Mapping[str, float]]] = {
        "peak": tuple({"threshold": value} for value in THRESHOLDS),
    }

    def __init__(self, dataset: Dataset) -> None:
        pass  # the label space is the same for every data set

    def targets(self, annotations: Annotations, times: Floats | None) -> NDArray[np.float32]:
        """(time, 8) activation of boundaries, then 1 for the function of the section.

        Raises:
            TrackError: there are no sections, or the intervals are malformed.
        """
        times = required(times, "frame times")
        sections = validate_segments(required(annotations.sections, "sections"), "section")
        boundaries = np.unique(sections.intervals)[1:-1]
        target = np.zeros((len(times), len(self.labels)), dtype=np.float32)
        target[:, 0] = activation(boundaries, times, WIDENING)
        for (start, stop), label in zip(sections.intervals, sections.labels, strict=True):
            function = section_function(label)
            if function is not None:
                inside = (times >= start) & (times < stop)
                target[inside, self.labels.index(function)] = 1
        return target

    def decode(
        self,
        logits: NDArray[np.float32],
        times: Floats | None,
        decoding: str,
        parameters: Mapping[str, float],
    ) -> Annotations:
        """Sections without gaps from the first frame to the last."""
        times = required(times, "frame times")
        spacing = period(times)
        size = 2 * round(WIDENING / spacing) + 1
        curve = uniform_filter1d(expit(logits[:, 0].astype(np.float64)), size, mode="nearest")
        peaks = pick_peaks(curve, parameters["threshold"], int(MIN_DISTANCE / spacing))
        starts = np.concatenate([[0], peaks[peaks > 0]])  # (sections,) first frames
        ends = edges(times)[[0, -1]]
        bounds = np.concatenate([ends[:1], times[starts[1:]], ends[1:]])
        sums = np.add.reduceat(logits[:, 1:].astype(np.float64), starts, axis=0)
        lengths = np.diff(np.append(starts, len(times)))
        best = (sums / lengths[:, None]).argmax(axis=1)
        intervals = np.stack([bounds[:-1], bounds[1:]], axis=1)
        return Annotations(sections=Segments(intervals, tuple(self.labels[i + 1] for i in best)))

    def score(
        self, references: Sequence[Annotations], estimates: Sequence[Annotations]
    ) -> dict[str, Statistic]:
        """F-measures of boundaries and of pairs of frames, mean over pieces."""
        return metrics.corpus_scores(_sections(references), _sections(estimates))

    def score_main(
        self, references: Sequence[Annotations], estimates: Sequence[Annotations]
    ) -> Statistic:
        """F-measure of boundaries within 0.5 s, mean over pieces."""
        pair = _sections(references), _sections(estimates)
        return metrics.corpus_scores(*pair, [self.main_metric])[self.main_metric]

    def conditions(self, references: Sequence[Annotations]) -> str:
        """Start and end of a piece are not scored as boundaries."""
        return "boundaries trimmed"


def _sections(tracks: Sequence[Annotations]) -> list[Segments]:
    return [required(track.sections, "sections") for track in tracks]
