"""A complete task in one file: time signature classification of whole tracks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mirprobe.core.bootstrap import Statistic, weighted_mean
from mirprobe.core.errors import TrackError
from mirprobe.core.schema import Annotations
from mirprobe_tasks.common.classification import ClipClassification

SIGNATURES = ("2/4", "3/4", "4/4")


class TimeSignature(ClipClassification):
    """Classification into three time signatures; any other one is neither a target nor scored.

    The label is in `Annotations.extra["time_signature"]`, written as `"3/4"`.
    """

    name = "time_signature"
    annotation = "time_signature"
    labels: tuple[str, ...] = SIGNATURES
    metrics: Mapping[str, str] = {"accuracy": "share of tracks with the right time signature"}

    def class_of(self, label: str) -> int:
        """Index of the time signature, -1 outside the three.

        Raises:
            TrackError: the label is not of the form `"3/4"`.
        """
        beats, _, unit = label.partition("/")
        if not (beats.isdigit() and unit.isdigit()):
            raise TrackError(f'time signature "{label}": write beats and unit such as "3/4"')
        return SIGNATURES.index(label) if label in SIGNATURES else -1

    def corpus_scores(self, references: list[str], estimates: list[str]) -> dict[str, Statistic]:
        """Accuracy over the tracks with one of the three time signatures."""
        pairs = list(zip(references, estimates, strict=True))
        hits = [float(reference == estimate) for reference, estimate in pairs]
        return {"accuracy": weighted_mean(hits, [float(r in SIGNATURES) for r, _ in pairs])}

    def conditions(self, references: Sequence[Annotations]) -> str:
        """The number of tracks that are not scored."""
        outside = sum(self.label(track) not in SIGNATURES for track in references)
        return f"tracks with another time signature: {outside}" if outside else ""
