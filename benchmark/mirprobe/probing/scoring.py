"""From the outputs of probes to rows: decoding, the choices of validation, scores."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import fields as dataclass_fields
from itertools import product
from math import nan, prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mirprobe.api.task import Task, conditions_of, decode_grid, score_main
from mirprobe.core.annotations import from_json, to_json
from mirprobe.core.bootstrap import mean
from mirprobe.core.intervals import jackknife
from mirprobe.core.schema import Annotations, Floats, Frames, Score
from mirprobe.probing.batches import Examples
from mirprobe.probing.logits import Logits, StoredLogits, store_logits
from mirprobe.probing.probes import Fit, Probes, at_edge
from mirprobe.probing.results import Cell, Prediction
from mirprobe.probing.scratch import Scratch
from mirprobe.probing.selection import best_on_validation


@dataclass(frozen=True, eq=False)
class SplitData:
    """The usable tracks of one split; all lists are aligned.

    Attributes:
        ids: of the tracks.
        references: their annotations.
        times: centres of their frames in seconds; None for clips.
        frames: (time, variants, dim) each; those of clips are joined in one item.
        targets: (time, ...) each, joined like `frames`.
        groups: such as the artist of each track; those of the test split are resampled together.
    """

    ids: list[str]
    references: list[Annotations]
    times: list[Floats | None]
    frames: list[Frames]
    targets: list[NDArray[Any]]
    groups: list[str]

    @property
    def lengths(self) -> list[int]:
        """Number of examples of each track."""
        return [1 if times is None else len(times) for times in self.times]


@dataclass(frozen=True, eq=False)
class Choice:
    """What validation chose for a decoding.

    Attributes:
        validation: main metric on the validation split.
        parameters: of the decoding.
        edge: names of the parameters that are an end of their grid; 0 is a bound and no end.
    """

    validation: float
    parameters: Mapping[str, float]
    edge: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Scorer:
    """Decodes logits, chooses on validation, scores on test and adds the rows to a cell.

    Attributes:
        task: the task.
        valid: the split that chooses.
        test: the split that is reported.
        row: the fields of `Score` that are the same in all rows.
        seeds: of the probes.
        cell: gets scores and predictions.
        scratch: holds logits.
    """

    task: Task
    valid: SplitData
    test: SplitData
    row: Mapping[str, Any]
    seeds: tuple[int, ...]
    cell: Cell
    scratch: Scratch

    def keep(self, split: SplitData, probes: int, blocks: Iterable[Logits]) -> list[StoredLogits]:
        """Store what several probes put out for a split: (probes, examples, labels) in order."""
        return store_logits(self.scratch, (probes, len(self.task.labels)), split.lengths, blocks)

    def decode(
        self,
        split: SplitData,
        logits: Iterable[Logits],
        decoding: str,
        parameters: Mapping[str, float],
    ) -> list[Annotations]:
        """Logits of each track, (time, labels), to annotations."""
        clip = self.task.level == "clip"
        return [
            self.task.decode(own[0] if clip else own, times, decoding, parameters)
            for own, times in zip(logits, split.times, strict=True)
        ]

    def choose(self, logits: Iterable[Logits], decoding: str) -> Choice:
        """The parameters from the decoding's grid that are best on validation."""
        clip, grid = self.task.level == "clip", self.task.decodings[decoding]
        decoded = [  # (tracks, parameters)
            decode_grid(self.task, own[0] if clip else own, times, decoding)
            for own, times in zip(logits, self.valid.times, strict=True)
        ]
        found = {}
        for index, parameters in enumerate(grid):
            estimates = [own[index] for own in decoded]
            statistic = score_main(self.task, self.valid.references, estimates)
            # an inside value that is as good as an end is preferred
            edge = tuple(
                name
                for name, value in parameters.items()
                if value and at_edge(value, [other[name] for other in grid])
            )
            found[Choice(statistic.value(), parameters, edge)] = len(edge)
        inside_first = sorted(found, key=found.__getitem__)
        return best_on_validation({choice: [choice.validation] for choice in inside_first})

    def add(self, logits: Iterable[Logits], decoding: str, choice: Choice, **fields: Any) -> None:
        """Decode and score the test tracks: adds a row for each metric and the predictions."""
        decoded = self.decode(self.test, logits, decoding, choice.parameters)
        # scored as they are stored, so that the scores can be computed again
        estimates = [from_json(to_json(estimate)) for estimate in decoded]
        shared = self.add_mean([estimates], decoding, choice, **fields)
        tracks = dict(zip(self.test.ids, estimates, strict=True))
        known = {own.name for own in dataclass_fields(Prediction)}
        fit = {name: self.row[name] for name in ("draw", "resample") if name in self.row}
        shared = {name: value for name, value in {**shared, **fit}.items() if name in known}
        self.cell.predictions.append(Prediction(**shared, tracks=tracks))

    def add_mean(
        self,
        draws: Iterable[Sequence[Annotations]],
        decoding: str,
        choice: Choice,
        **fields: Any,
    ) -> dict[str, Any]:
        """Add a row for each metric, its mean over several sets of estimates.

        Args:
            draws: sets of estimates of the test tracks.
            decoding: its name.
            choice: of validation.
            **fields: kind, layer, source, seed and selected of the rows, and how the probe was
                trained.

        Returns:
            The fields that all these rows share.
        """
        scores = [self.task.score(self.test.references, estimates) for estimates in draws]
        edge = ",".join([*fields.pop("edge", ()), *choice.edge])
        parameters = json.dumps(dict(choice.parameters))
        shared = {**fields, "edge": edge, "decoding": decoding, "parameters": parameters}
        conditions = conditions_of(self.task)(self.test.references)
        for metric in scores[0]:
            statistic = mean([draw[metric] for draw in scores])
            estimate = jackknife(statistic, self.test.groups)
            interval = estimate.interval
            self.cell.scores.append(
                Score(
                    **self.row,
                    **shared,
                    metric=metric,
                    main=metric == self.task.main_metric,
                    value=estimate.value,
                    low=interval.low,
                    high=interval.high,
                    n=statistic.tracks,
                    groups=estimate.groups,
                    interval=interval.text,
                    validation=choice.validation,
                    conditions=conditions,
                )
            )
        return shared

    def no_probe(self, kind: str) -> dict[str, Any]:
        """Fields of the rows of a control that needs no probe."""
        return {
            "kind": kind,
            "selected": False,
            "learning_rate": nan,
            "layer": "",
            "source": "",
            "seed": self.seeds[0],
        }


def score_probes(
    scorer: Scorer,
    probes: Probes,
    variants: Sequence[tuple[str, str]],
    on_shuffled: Callable[[int], Probes],
) -> None:
    """Score every variant, and probes on shuffled labels of the variant that validation chose.

    Args:
        scorer: of the cell.
        probes: trained ones.
        variants: layer and source of each variant.
        on_shuffled: trains the probes of a variant, with its weight decay and learning rate, on
            shuffled labels.
    """
    decodings, seeds = scorer.task.decodings, range(probes.shape[1])
    valid = _predict(scorer, scorer.valid, probes)
    every = product(decodings, range(len(variants)), seeds)
    chosen = {(d, v, s): scorer.choose(valid[v, s], d) for d, v, s in every}
    validation = {
        decoding: {
            variant: [chosen[decoding, variant, seed].validation for seed in seeds]
            for variant in range(len(variants))
        }
        for decoding in decodings
    }
    winners = {decoding: best_on_validation(found) for decoding, found in validation.items()}
    reported = best_on_validation({one: validation[one][winners[one]] for one in decodings})
    test = _predict(scorer, scorer.test, probes)

    def add(kind: str, logits: StoredLogits, fit: Fit, choice: Choice, **fields: Any) -> None:
        trained: dict[str, Any] = {
            "learning_rate": fit.learning_rate,
            "weight_decay": fit.weight_decay,
            "steps": fit.steps,
            "converged": fit.converged,
            "edge": ("training",) * fit.edge,
        }
        scorer.add(logits, choice=choice, kind=kind, **trained, **fields)

    for (decoding, variant, seed), choice in chosen.items():
        layer, source = variants[variant]
        add(
            "probe",
            test[variant, seed],
            probes.fits[variant][seed],
            choice,
            decoding=decoding,
            layer=layer,
            source=source,
            seed=scorer.seeds[seed],
            selected=variant == winners[decoding] and decoding == reported,
        )
    for winner in dict.fromkeys(winners.values()):
        control = on_shuffled(winner)
        valid, test = (
            _predict(scorer, own, control, winner) for own in (scorer.valid, scorer.test)
        )
        layer, source = variants[winner]
        for decoding, seed in product(decodings, seeds):
            if winners[decoding] == winner:
                add(
                    "shuffled",
                    test[0, seed],
                    control.fits[0][seed],
                    scorer.choose(valid[0, seed], decoding),
                    decoding=decoding,
                    layer=layer,
                    source=source,
                    seed=scorer.seeds[seed],
                    selected=False,
                )


def _predict(
    scorer: Scorer, split: SplitData, probes: Probes, variant: int | None = None
) -> dict[tuple[int, ...], StoredLogits]:
    """Logits (regression: estimates) of each variant and seed.

    Args:
        scorer: of the cell.
        split: its examples.
        probes: of all variants, or of `variant`.
        variant: the only one.
    """
    examples = Examples(split.frames, split.targets)
    if variant is not None:
        examples = examples.only(variant)

    def outputs() -> Iterator[Logits]:
        for x, _ in examples.in_order():
            with torch.no_grad():
                found = probes.outputs(x)  # (variants, examples, seeds, labels)
            yield found.transpose(1, 2).flatten(0, 1).numpy()

    kept = scorer.keep(split, prod(probes.shape), outputs())
    return dict(zip(np.ndindex(probes.shape), kept, strict=True))
