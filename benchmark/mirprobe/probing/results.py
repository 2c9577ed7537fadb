"""The result of a cell, one encoder in one task: scores, and the predictions behind them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mirprobe.core.schema import Annotations, Score
from mirprobe.probing.selection import best_on_validation


@dataclass(frozen=True, eq=False)
class Prediction:
    """What one probe or control predicts for the test tracks.

    Attributes:
        kind, layer, source, decoding, parameters, learning_rate, seed, selected, draw, resample:
            as in `Score`.
        tracks: track id -> predicted annotation.
    """

    kind: str
    layer: str
    source: str
    decoding: str
    parameters: str
    learning_rate: float
    seed: int
    selected: bool
    tracks: Mapping[str, Annotations]
    draw: int = 0
    resample: int = 0


@dataclass
class Cell:
    """All results of one encoder in one task.

    Attributes:
        key: hash of everything that the cell was computed from.
        encoder: specification of the encoder.
        task: name of the task.
        scores: one for each metric of each probe and control.
        predictions: one for each probe and control except `chance`.
        problems: track id -> why the track could not be used.
    """

    key: str
    encoder: str
    task: str
    scores: list[Score] = field(default_factory=list)
    predictions: list[Prediction] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)

    def chosen(self) -> list[Prediction]:
        """The predictions of the layer, source and decoding that validation chose.

        There is one for each resample, draw and seed. In cells of earlier versions `selected` marks
        one layer and source for each decoding.
        """
        validation: dict[tuple[int, int], dict[str, list[float]]] = {}
        for score in self.scores:
            if score.kind == "probe" and score.selected and score.main:
                decodings = validation.setdefault((score.resample, score.draw), {})
                decodings.setdefault(score.decoding, []).append(score.validation)
        best = {fit: best_on_validation(decodings) for fit, decodings in validation.items()}
        return [
            one
            for one in self.predictions
            if one.kind == "probe" and one.selected and one.decoding == best[one.resample, one.draw]
        ]
