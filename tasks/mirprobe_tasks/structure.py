"""Structure: where sections begin, and which of them are alike."""

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
from mirprobe_tasks.common.checks import required, sound_segments
from mirprobe_tasks.common.frame_grid import edges, period

WIDENING = 0.5
"""Seconds to either side of a boundary over which the target falls off, and the activation is
averaged before peaks are picked."""

MIN_DISTANCE = 4.0
"""Seconds between two boundaries, at least."""

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
"""Function -> the words that say so in a label."""

_WORDS = {word: function for function, words in FUNCTIONS.items() for word in words}
_WORD = re.compile("|".join(_WORDS))


def function_of(label: str) -> str | None:
    """The function that a label's first known word names: `"Pre-Chorus 2"` is a verse.

    None where there is no such word, as in `"A"` or `"B'"`.
    """
    found = _WORD.search(re.sub(r"[^a-z]", "", label.lower()))
    return _WORDS[found.group()] if found else None


class Structure:
    """Frame-wise boundary activation beside the seven functions of a section.

    A probe that sees one frame cannot tell which sections are alike, so what it reads out is their
    function, in the seven classes of Wang, Hung & Smith (ICASSP 2022); two sections are estimated
    to be alike where they have the same one. A label that names no function, such as "A", trains
    no class, but is scored as it stands; the ceiling says what all this costs.

    The boundary target is 1 on the frame nearest to a boundary inside the piece and falls off
    linearly over `WIDENING`. The one decoding averages the activation over `WIDENING` to either
    side, picks peaks above a threshold, and gives each section the function of the highest mean
    logit.
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
        self.dataset = dataset.name

    def targets(self, annotations: Annotations, times: Floats | None) -> NDArray[np.float32]:
        """(time, 8) boundary activation, and 1 for the function of the section.

        Raises:
            TrackError: no sections, or malformed intervals.
        """
        times = required(times, "frame times")
        sections = sound_segments(required(annotations.sections, "sections"), "section")
        inside = np.unique(sections.intervals)[1:-1]
        target = np.zeros((len(times), len(self.labels)), dtype=np.float32)
        target[:, 0] = activation(inside, times, WIDENING)
        for (start, stop), label in zip(sections.intervals, sections.labels, strict=True):
            function = function_of(label)
            if function is not None:
                held = (times >= start) & (times < stop)
                target[held, self.labels.index(function)] = 1
        return target

    def decode(
        self,
        logits: NDArray[np.float32],
        times: Floats | None,
        decoding: str,
        parameters: Mapping[str, float],
    ) -> Annotations:
        """Sections from the first frame to the last, without gaps."""
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
        return metrics.corpus_scores(
            [required(track.sections, "sections") for track in references],
            [required(track.sections, "sections") for track in estimates],
        )

    def conditions(self, references: Sequence[Annotations]) -> str:
        """That start and end of a piece are no boundaries."""
        return "boundaries trimmed"
