"""Key estimation: one tonic and mode for the whole track."""

from __future__ import annotations

from collections.abc import Mapping

from mirprobe.core.bootstrap import Statistic
from mirprobe.metrics import key as metrics
from mirprobe_tasks.common.checks import parse_key
from mirprobe_tasks.common.classification import ClipClassification


class Key(ClipClassification):
    """Classification into the 24 major and minor keys; enharmonic spellings are one class.

    A reference outside the 24 (`"X"`, mode `other`) is neither a target nor scored.
    """

    name = "key"
    annotation = "key"
    labels: tuple[str, ...] = metrics.KEYS
    main_metric = "mirex"
    metrics: Mapping[str, str] = metrics.METRICS

    def class_of(self, label: str) -> int:
        """Index of the key, -1 outside the 24.

        Raises:
            TrackError: mir_eval.key cannot read the label.
        """
        return parse_key(label)

    def corpus_scores(self, references: list[str], estimates: list[str]) -> dict[str, Statistic]:
        """MIREX weighted scores, accuracy and the error breakdown, mean over tracks."""
        return metrics.corpus_scores(references, estimates)
