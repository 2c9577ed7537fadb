"""From logits to rows: decoding, its parameters, scores."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import fields as dataclass_fields
from functools import cached_property, partial
from math import nan
from typing import Any, TypeVar

import numpy as np

from mirprobe.api.task import Task, conditions_of, decode_grid, score_main
from mirprobe.core.annotations import from_json, to_json
from mirprobe.core.bootstrap import Statistic, mean
from mirprobe.core.confidence_intervals import Estimate, jackknife
from mirprobe.core.errors import ConfigError, TrackError
from mirprobe.core.parallel import map_packed
from mirprobe.core.schema import Annotations, Floats, Score
from mirprobe.probing.logits import Logits, StoredLogits, store_logits
from mirprobe.probing.probes import at_edge
from mirprobe.probing.results import Cell, Prediction
from mirprobe.probing.scratch import Scratch
from mirprobe.probing.selection import nan_is_worst
from mirprobe.probing.split_data import SplitData

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Choice:
    """What validation chose for a decoding.

    Attributes:
        validation: main metric on the validation split.
        parameters: of the decoding.
        resampled: (draws,) the main metric of the best parameters in each draw of `Scorer.choose`;
            minus infinity where it is undefined.
        edge: names of the parameters that are an end of their grid; 0 is a bound and no end.
    """

    validation: float
    resampled: Floats
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
        jobs: processes that decode the tracks of frame tasks.
    """

    task: Task
    valid: SplitData
    test: SplitData
    row: Mapping[str, Any]
    seeds: tuple[int, ...]
    cell: Cell
    scratch: Scratch
    jobs: int = 1

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
        function = partial(_decode, self.task, decoding, parameters)
        return self._each_track(function, logits, split)

    def _each_track(
        self, function: Callable[..., T], logits: Iterable[Logits], split: SplitData
    ) -> list[T]:
        tracks = zip(logits, split.times, strict=True)
        if self.task.level == "clip":
            return [function(own[0], None) for own, _ in tracks]
        return map_packed(function, tracks, self.jobs, f"task '{self.task.name}'")

    def choose(
        self, logits: Iterable[Logits], decoding: str, draws: Floats | None = None
    ) -> Choice:
        """The parameters from the decoding's grid that are best on validation.

        Args:
            logits: of the validation tracks.
            decoding: its name.
            draws: (draws, tracks) how often each track counts in other draws of these tracks, for
                which the choice is made too.
        """
        function = partial(_decode_grid, self.task, decoding)
        decoded = self._each_track(function, logits, self.valid)  # (tracks, parameters)
        once = np.ones((1, len(decoded)))
        counts = once if draws is None else np.concatenate([once, draws])
        grid = self.task.decodings[decoding]
        found = []
        for index, parameters in enumerate(grid):
            statistic = score_main(
                self.task, self.valid.references, [own[index] for own in decoded]
            )
            edge = tuple(
                name
                for name, value in parameters.items()
                if value and at_edge(value, [other[name] for other in grid])
            )
            found.append((statistic.resample(counts), parameters, edge))
        # an inside value that is as good as an end is preferred
        found.sort(key=lambda one: len(one[2]))
        values = nan_is_worst(np.array([own for own, _, _ in found]))  # (parameters, 1 + draws)
        own, parameters, edge = found[values[:, 0].argmax()]
        return Choice(float(own[0]), values[:, 1:].max(axis=0), parameters, edge)

    def add(
        self,
        logits: Iterable[Logits],
        decoding: str,
        choice: Choice,
        *,
        main_only: bool = False,
        stored: bool = True,
        **fields: Any,
    ) -> list[Annotations]:
        """Decode and score the test tracks.

        Adds a row for each metric and, if `stored`, the predictions, or with `main_only` the row of
        the main metric.

        Returns:
            What is predicted for each test track.
        """
        decoded = self.decode(self.test, logits, decoding, choice.parameters)
        # scored as they are stored, so that the scores can be computed again
        try:
            estimates = [from_json(to_json(estimate)) for estimate in decoded]
        except TrackError as error:
            raise ConfigError(
                f"task '{self.task.name}': `decode` returns annotations whose {error}"
            ) from error
        shared = self.add_mean([estimates], decoding, choice, main_only=main_only, **fields)
        if main_only or not stored:
            return estimates
        tracks = dict(zip(self.test.ids, estimates, strict=True))
        known = {own.name for own in dataclass_fields(Prediction)}
        fit = {name: self.row[name] for name in ("draw", "resample") if name in self.row}
        shared = {name: value for name, value in {**shared, **fit}.items() if name in known}
        self.cell.predictions.append(Prediction(**shared, tracks=tracks))
        return estimates

    def add_change(
        self,
        after: Sequence[Annotations],
        undisturbed: SplitData,
        before: Mapping[str, Annotations],
        choice: Choice,
        **shared: Any,
    ) -> None:
        """Add the change of the main metric from the undisturbed to the disturbed test tracks.

        The interval is paired: both scores are of the tracks that are usable in both. The test
        split of this scorer has the disturbed tracks.

        Args:
            after: predictions for the disturbed tracks.
            undisturbed: the test split without the perturbation.
            before: track -> prediction for it.
            choice: of validation.
            **shared: the other fields of `Score` that are not in `row`.
        """
        places = {track: place for place, track in enumerate(self.test.ids)}
        common = [place for place, track in enumerate(undisturbed.ids) if track in places]
        ids = [undisturbed.ids[place] for place in common]
        groups = [undisturbed.groups[place] for place in common]
        changed = [places[track] for track in ids]
        pairs = (
            ([self.test.references[n] for n in changed], [after[n] for n in changed]),
            ([undisturbed.references[n] for n in common], [before[track] for track in ids]),
        )
        one, other = (jackknife(score_main(self.task, *pair), groups) for pair in pairs)
        self._add_row(self.task.main_metric, one - other, len(common), choice.validation, **shared)

    def add_mean(
        self,
        draws: Iterable[Sequence[Annotations]],
        decoding: str,
        choice: Choice,
        *,
        main_only: bool = False,
        **fields: Any,
    ) -> dict[str, Any]:
        """Add a row for each metric, its mean over several sets of estimates.

        Args:
            draws: sets of estimates of the test tracks.
            decoding: its name.
            choice: of validation.
            main_only: whether to add the row of the main metric only.
            **fields: kind, layer, source, seed and selected of the rows, and how the probe was
                trained.

        Returns:
            The fields that all these rows share.
        """
        main, truth = self.task.main_metric, self.test.references
        scores = [
            {main: score_main(self.task, truth, estimates)}
            if main_only
            else self.task.score(truth, estimates)
            for estimates in draws
        ]
        edge = ",".join([*fields.pop("edge", ()), *choice.edge])
        parameters = json.dumps(dict(choice.parameters))
        shared = {**fields, "edge": edge, "decoding": decoding, "parameters": parameters}
        statistics = {metric: mean([draw[metric] for draw in scores]) for metric in scores[0]}
        self.add_rows(statistics, self.test.groups, choice.validation, **shared)
        return shared

    def add_rows(
        self,
        statistics: Mapping[str, Statistic],
        groups: Sequence[str],
        validation: float,
        **shared: Any,
    ) -> None:
        """Add a row for each statistic, with its interval.

        Args:
            statistics: by metric.
            groups: of each track of the statistics.
            validation: the value by which validation chose.
            **shared: the other fields of `Score` that are not in `row`.
        """
        for metric, statistic in statistics.items():
            estimate = jackknife(statistic, groups)
            self._add_row(metric, estimate, statistic.tracks, validation, **shared)

    def _add_row(
        self, metric: str, estimate: Estimate, n: int, validation: float, **shared: Any
    ) -> None:
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
                n=n,
                groups=estimate.groups,
                interval=interval.text,
                validation=validation,
                conditions=self._conditions,
            )
        )

    @cached_property
    def _conditions(self) -> str:
        return conditions_of(self.task)(self.test.references)

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


def _decode(
    task: Task, decoding: str, parameters: Mapping[str, float], own: Logits, times: Floats | None
) -> Annotations:
    return task.decode(own, times, decoding, parameters)


def _decode_grid(task: Task, decoding: str, own: Logits, times: Floats | None) -> list[Annotations]:
    return decode_grid(task, own, times, decoding)
