"""Pitch classification of tracks that hold a single note."""

from __future__ import annotations

from collections.abc import Mapping

from mirprobe.core.bootstrap import Statistic
from mirprobe.metrics import pitch as metrics
from mirprobe_tasks.common.checks import parse_note
from mirprobe_tasks.common.classification import ClipClassification


class Pitch(ClipClassification):
    """Classification into the 128 MIDI notes; enharmonic spellings are one class.

    The range of notes differs between data sets (82 in TinySOL, 88 on a piano, 112 in NSynth). All
    128 are classes, so that a probe can be trained on one data set and tested on another. A note
    without training tracks does no harm: its logit only decreases.
    """

    name = "pitch"
    annotation = "pitch"
    labels: tuple[str, ...] = metrics.NOTES
    metrics: Mapping[str, str] = metrics.METRICS

    def class_of(self, label: str) -> int:
        """MIDI number of the note.

        Raises:
            TrackError: the label is not a note from C-1 to G9.
        """
        return parse_note(label)

    def corpus_scores(self, references: list[str], estimates: list[str]) -> dict[str, Statistic]:
        """Accuracy of the note and of its pitch class, over the tracks."""
        return metrics.corpus_scores(references, estimates)
