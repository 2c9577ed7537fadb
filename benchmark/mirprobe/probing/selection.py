"""From logits to rows: decoding, the choices of validation, scores and their intervals."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf, isnan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mirprobe.api.task import Task, conditions_of
from mirprobe.core.annotations import to_json
from mirprobe.core.bootstrap import bootstrap, mean, point
from mirprobe.core.schema import Annotations, Floats, Frames, Score

Logits = NDArray[np.float32]
Parameters = Mapping[str, float]
Chosen = tuple[float, Parameters]
"""The main metric on validation, and the decoding's parameters that reached it."""


@dataclass
class CellResult:
    """Scores, the predictions behind them, and the tracks that could not be used and why."""

    scores: list[Score] = field(default_factory=list)
    predictions: list[dict[str, Any]] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Half:
    """The usable tracks of one split, aligned lists.

    Attributes:
        ids: of the tracks.
        references: their annotations.
        times: centres of their frames in seconds; None for clips.
        frames: (time, variants, dim) each.
        targets: (time, ...) each.
    """

    ids: list[str]
    references: list[Annotations]
    times: list[Floats | None]
    frames: list[Frames]
    targets: list[NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Scorer:
    """Decodes logits, lets validation choose the parameters, scores on test, keeps the rows.

    Attributes:
        task: what is scored.
        valid: the split that chooses.
        test: the split that is reported.
        row: the fields of `Score` that are the same in all rows.
        seeds: of the probes.
        result: where rows and predictions go.
    """

    task: Task
    valid: Half
    test: Half
    row: Mapping[str, Any]
    seeds: tuple[int, ...]
    result: CellResult

    def decode(
        self, half: Half, logits: Sequence[Logits], decoding: str, parameters: Parameters
    ) -> list[Annotations]:
        """Logits of each track, (time, labels), to annotations."""
        clip = self.task.level == "clip"
        return [
            self.task.decode(own[0] if clip else own, times, decoding, parameters)
            for own, times in zip(logits, half.times, strict=True)
        ]

    def choose(self, logits: Sequence[Logits], decoding: str) -> Chosen:
        """The best main metric on validation over the decoding's grid, the first of equals."""
        best: Chosen | None = None
        for parameters in self.task.decodings[decoding]:
            estimates = self.decode(self.valid, logits, decoding, parameters)
            statistic = self.task.score(self.valid.references, estimates)[self.task.main_metric]
            value = point(statistic, len(estimates))
            if best is None or worth(value) > worth(best[0]):
                best = value, parameters
        assert best is not None
        return best

    def add(
        self, estimates: Sequence[Annotations], decoding: str, chosen: Chosen, **fields: Any
    ) -> None:
        """Score estimates of the test tracks: a row a metric, and the predictions."""
        described = self.add_mean([estimates], decoding, chosen, **fields)
        tracks = {
            track: to_json(estimate)
            for track, estimate in zip(self.test.ids, estimates, strict=True)
        }
        self.result.predictions.append({**described, "tracks": tracks})

    def add_mean(
        self,
        draws: Sequence[Sequence[Annotations]],
        decoding: str,
        chosen: Chosen,
        **fields: Any,
    ) -> dict[str, Any]:
        """Rows of the mean score over several draws of estimates; returns what they share."""
        scores = [self.task.score(self.test.references, estimates) for estimates in draws]
        validation, parameters = chosen
        described = {**fields, "decoding": decoding, "parameters": json.dumps(dict(parameters))}
        n = len(self.test.ids)
        conditions = conditions_of(self.task)(self.test.references)
        for metric in scores[0]:
            statistic = mean([draw[metric] for draw in scores])
            low, high = bootstrap(statistic, n)
            self.result.scores.append(
                Score(
                    **self.row,
                    **described,
                    metric=metric,
                    main=metric == self.task.main_metric,
                    value=point(statistic, n),
                    low=low,
                    high=high,
                    n=n,
                    validation=validation,
                    conditions=conditions,
                )
            )
        return described


def worth(value: float) -> float:
    """A metric for comparison: what validation cannot tell (NaN) is worse than anything it can."""
    return -inf if isnan(value) else value
