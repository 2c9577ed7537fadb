"""Multi-label tagging of whole tracks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from mirprobe.api.dataset import Dataset
from mirprobe.core.bootstrap import Statistic
from mirprobe.core.errors import ConfigError, TrackError
from mirprobe.core.schema import Annotations, Floats, Level, Loss
from mirprobe.metrics import tagging as metrics
from mirprobe_tasks.common.checks import required
from mirprobe_tasks.common.fields import labels_of
from mirprobe_tasks.common.make_annotations import make_annotations


class Tagging:
    """Multi-label tagging with the tags of the data set or of a field, `tagging:field=moods`.

    A field of your own is a word, a list of words or a mapping of words to relevance. Its
    vocabulary is the one that the data set declares, or else the words that occur in any split.

    The main metric is ROC-AUC: its expectation does not depend on the number of tracks or on the
    share of positives. That of mAP does (.566 for 20 tracks, .455 for 300 in one simulation).
    """

    name = "tagging"
    level: Level = "clip"
    annotation = "tags"
    loss: Loss = "multilabel"
    main_metric = "roc_auc"
    metrics: Mapping[str, str] = metrics.METRICS
    decodings: Mapping[str, Sequence[Mapping[str, float]]] = {"scores": ({},)}

    positional: tuple[str, ...] = ("field",)

    def __init__(self, dataset: Dataset, field: str = "tags") -> None:
        self.annotation = field
        if field != "tags":
            self.labels = labels_of(dataset, field, _tags)
            return
        if not dataset.tags:
            raise ConfigError(
                f"data set {dataset.name} has no tags: choose another data set for the tagging task"
            )
        self.labels = tuple(dataset.tags)

    def targets(self, annotations: Annotations, times: Floats | None) -> NDArray[np.float32]:
        """(labels,) relevance of each tag.

        Raises:
            TrackError: there are no tags, a tag is not in the vocabulary, or a relevance is outside
                [0, 1].
        """
        tags = self._of(annotations)
        unknown = sorted(set(tags) - set(self.labels))
        if unknown:
            raise TrackError(f'tag "{unknown[0]}" is not in the data set\'s tags: add or drop it')
        wrong = sorted(tag for tag, relevance in tags.items() if not 0 <= relevance <= 1)
        if wrong:
            raise TrackError(
                f'tag "{wrong[0]}" has relevance {tags[wrong[0]]}: give a number in [0, 1]'
            )
        return np.array([tags.get(label, 0.0) for label in self.labels], dtype=np.float32)

    def decode(
        self,
        logits: NDArray[np.float32],
        times: Floats | None,
        decoding: str,
        parameters: Mapping[str, float],
    ) -> Annotations:
        """Probability of every tag, in double precision: large logits must not tie."""
        scores = expit(logits.astype(np.float64))
        return make_annotations(
            {self.annotation: dict(zip(self.labels, scores.tolist(), strict=True))}
        )

    def score(
        self, references: Sequence[Annotations], estimates: Sequence[Annotations]
    ) -> dict[str, Statistic]:
        """Macro ROC-AUC and average precision; tags in `conditions` are left out."""
        return metrics.corpus_scores(self._table(references) > 0.5, self._table(estimates))

    def conditions(self, references: Sequence[Annotations]) -> str:
        """Positives a tag, and the tags that all or none have; the scores leave these out."""
        relevance = self._table(references) > 0.5
        undefined = metrics.undefined_tags(relevance, self.labels)
        left_out = f"; tags left out: {', '.join(undefined)}" if undefined else ""
        return metrics.positives(relevance) + left_out

    def _table(self, annotations: Sequence[Annotations]) -> Floats:
        rows = [self._of(track) for track in annotations]
        table = [[row.get(label, 0.0) for label in self.labels] for row in rows]
        return np.array(table, dtype=np.float64)  # (tracks, labels)

    def _of(self, annotations: Annotations) -> Mapping[str, float]:
        return _tags(required(annotations.get(self.annotation), self.annotation))


def _tags(value: Any) -> Mapping[str, float]:
    """Tag -> relevance."""
    if isinstance(value, Mapping):
        return value
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, list | tuple) or not all(isinstance(word, str) for word in words):
        raise TrackError(
            f"{type(value).__name__} is no tags: give a list of words such as ['calm', 'piano'] or "
            "a mapping such as {'calm': 1.0, 'piano': 1.0}"
        )
    return dict.fromkeys(words, 1.0)
