"""Key: tonic and mode of a track, one for all of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mirprobe.api.dataset import Dataset
from mirprobe.core.bootstrap import Statistic
from mirprobe.core.schema import Annotations, Floats, Level, Loss
from mirprobe.metrics import key as metrics
from mirprobe_tasks.common.checks import known_key, required


class Key:
    """Classification into the 24 major and minor keys; enharmonic spellings are one class.

    A reference outside them (`"X"`, mode `other`) is neither learned from nor scored.
    """

    name = "key"
    level: Level = "clip"
    annotation = "key"
    loss: Loss = "multiclass"
    labels: tuple[str, ...] = metrics.KEYS
    main_metric = "mirex"
    metrics: Mapping[str, str] = metrics.METRICS
    decodings: Mapping[str, Sequence[Mapping[str, float]]] = {"argmax": ({},)}

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset.name

    def targets(self, annotations: Annotations, times: Floats | None) -> NDArray[np.int64]:
        """() class of the key, -1 outside the 24.

        Raises:
            TrackError: no key, or one that mir_eval.key cannot read.
        """
        return np.array(known_key(required(annotations.key, "key")), dtype=np.int64)

    def decode(
        self,
        logits: NDArray[np.float32],
        times: Floats | None,
        decoding: str,
        parameters: Mapping[str, float],
    ) -> Annotations:
        """The key with the highest logit."""
        return Annotations(key=self.labels[int(logits.argmax())])

    def score(
        self, references: Sequence[Annotations], estimates: Sequence[Annotations]
    ) -> dict[str, Statistic]:
        """MIREX weighted scores, accuracy and the error breakdown, mean over tracks."""
        return metrics.corpus_scores(
            [required(track.key, "key") for track in references],
            [required(track.key, "key") for track in estimates],
        )

    def conditions(self, references: Sequence[Annotations]) -> str:
        """Nothing more."""
        return ""
