"""Checks that a task keeps the Task protocol: `mirprobe validate-task`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from mirprobe.api.dataset import Dataset
from mirprobe.api.task import Task, conditions_of, decode_grid, score_main
from mirprobe.core.annotations import to_json
from mirprobe.core.bootstrap import Statistic
from mirprobe.core.check import Check, members_check, missing_members
from mirprobe.core.errors import ConfigError, TrackError, described
from mirprobe.core.schema import Annotations, Beats, Floats, Level, Loss, Segments
from mirprobe.data.tracks import read_splits, tracks_of
from mirprobe.probing.chance_ceiling import reference_logits

RATES = (12.5, 25.0, 31.25, 50.0, 100.0)
"""Frames per second at which frame-wise targets are computed."""

DECODED = 25.0  # frames per second from which the reference must survive decoding
LEAST = 0.95  # main metric of the reference decoded from its own targets
_TRACKS = 24  # tracks that are decoded and scored
_SILENCE = 20.0  # seconds of a track whose annotation has no times

_MEMBERS = (*Task.__annotations__, "targets", "decode", "score")


def validate_task(task: Task, dataset: Dataset) -> Iterator[Check]:
    """Check a task on the annotations of a data set; audio is not read.

    Args:
        task: built with `dataset`.
        dataset: some of its tracks have the annotation of the task.

    Yields:
        One result per check. If a member is wrong, or no track is usable, the checks end there.
    """
    members = _members(task)
    yield members
    if not members.passed:
        return
    trial = _Trial(task, dataset)
    steps = (trial.tracks, trial.targets, trial.decoding, trial.scores)
    for check in (*steps, trial.perfection, trial.shortcuts):
        try:
            found = check()
        except KeyboardInterrupt:
            raise
        except ConfigError as error:
            yield Check(check.__name__, False, str(error), "correct it")
            return
        except BaseException as error:  # as in `plugin_errors`
            yield Check(check.__name__, False, described(error), "see mirprobe.Task")
            return
        yield found
        if check == trial.tracks and not found.passed:
            return


def _members(task: Task) -> Check:
    """Every member of the protocol exists and has the type that it declares."""
    if lacking := missing_members(task, _MEMBERS, Task):
        return lacking
    labels, metrics, decodings = task.labels, task.metrics, task.decodings
    main = metrics.get(task.main_metric) if isinstance(metrics, Mapping) else None
    tests = {
        "name is not a string": isinstance(task.name, str) and task.name,
        f"level {task.level!r} is not one of {', '.join(get_args(Level))}": task.level
        in get_args(Level),
        "annotation is not a string": isinstance(task.annotation, str) and task.annotation,
        f"loss {task.loss!r} is not one of {', '.join(get_args(Loss))}": task.loss
        in get_args(Loss),
        "labels is not a tuple of different strings": isinstance(labels, tuple)
        and labels
        and all(isinstance(label, str) for label in labels)
        and len(set(labels)) == len(labels),
        "metrics does not map names to conventions": isinstance(metrics, Mapping)
        and all(isinstance(text, str) and text for text in metrics.values()),
        f"main_metric {task.main_metric!r} is not among the metrics": main is not None,
        "main_metric is a breakdown": not str(main).startswith("breakdown"),
        "decodings does not map names to non-empty grids": isinstance(decodings, Mapping)
        and decodings
        and all(len(grid) for grid in decodings.values()),
        "targets, decode or score is not a method": callable(task.targets)
        and callable(task.decode)
        and callable(task.score),
    }
    found = f"{task.level}, {task.loss}, {len(labels)} labels, {len(metrics)} metrics"
    return members_check(tests, f"{found}, decodings {', '.join(decodings)}", Task)


class _Trial:
    """A task with the annotated tracks of a data set."""

    def __init__(self, task: Task, dataset: Dataset) -> None:
        self.task = task
        self.dataset = dataset
        self.references: list[Annotations] = []

    def tracks(self) -> Check:
        """Tracks that have the annotation and whose targets can be computed."""
        splits, field = read_splits(self.dataset), self.task.annotation
        given = [one for one in tracks_of(splits) if one.annotations.get(field) is not None]
        if not given:
            found = f"data set '{self.dataset.name}' has no annotation '{field}'"
            return Check("tracks", False, found, "give --dataset one that has")
        reason = ""
        usable = []
        for track in given:
            try:
                self._targets(track.annotations, DECODED)
            except TrackError as error:
                reason = reason or f"; the first of others, '{track.id}': {error}"
                continue
            usable.append(track.annotations)
        step = max(1, len(usable) // _TRACKS)  # spread over the splits
        self.references = usable[::step][:_TRACKS]
        found = f"{len(usable)} of {len(given)} with '{field}' are usable{reason}"
        return Check("tracks", bool(usable), found, "correct `targets` or the annotations")

    def targets(self) -> Check:
        """Shape, number type and range of targets, at several frame rates."""
        rates = RATES if self.task.level == "frame" else (DECODED,)
        for rate in rates:
            for reference in self.references:
                target, times = self._targets(reference, rate)
                wrong = self._wrong(target, None if times is None else len(times))
                if wrong:
                    where = "" if times is None else f" at {rate:g} frames/s"
                    remedy = "see `targets` of mirprobe.Task"
                    return Check("targets", False, f"{wrong}{where}", remedy)
        if self.task.level == "frame":
            wrong = self._wrong(self.task.targets(self.references[0], np.zeros(1)), 1)
            if wrong:
                return Check("targets", False, f"{wrong} for one frame", "give one per frame")
            found = f"right at {', '.join(f'{r:g}' for r in rates)} frames/s"
        else:
            found = f"right for {len(self.references)} tracks"
        return Check("targets", True, found + self._ignored())

    def _ignored(self) -> str:
        """How many targets are -1, which neither the training nor the metrics use."""
        if self.task.loss != "multiclass":
            return ""
        targets = [self._targets(reference, DECODED)[0] for reference in self.references]
        values = np.concatenate([np.atleast_1d(target) for target in targets])
        return f"; {(values == -1).sum()} of {values.size} are -1 (ignored)"

    def _wrong(self, target: NDArray[Any], frames: int | None) -> str:
        """What is wrong with a target; empty if nothing is."""
        task, labels = self.task, len(self.task.labels)
        shape = () if frames is None else (frames,)
        if task.loss != "multiclass":
            shape = (*shape, labels)
        if not isinstance(target, np.ndarray | np.generic):
            return f"a {type(target).__name__}, not an array"
        if target.shape != shape:
            return f"shape {target.shape}, not {shape}"
        kind = np.int64 if task.loss == "multiclass" else np.float32
        if target.dtype != kind:
            return f"number type {target.dtype}, not {np.dtype(kind)}"
        low, high = {"multiclass": (-1, labels - 1), "multilabel": (0, 1)}.get(
            task.loss, (-np.inf, np.inf)
        )
        if target.size and not (
            np.isfinite(target).all() and target.min() >= low and target.max() <= high
        ):
            odd = target[~((target >= max(low, 0)) & (target <= high))]
            right = {"multiclass": f"0 to {high}, or -1 (ignored)", "multilabel": "0 to 1"}
            found = odd[odd != -1][0] if task.loss == "multiclass" else odd[0]
            return f"targets must be {right.get(task.loss, 'finite')}; found {found:g}"
        return ""

    def decoding(self) -> Check:
        """The reference, decoded from its own targets, scores well with the best parameters."""
        rates = [rate for rate in RATES if rate >= DECODED] if self.task.level == "frame" else [0.0]
        lowest: tuple[float, str] | None = None
        for rate in rates:
            for decoding in self.task.decodings:
                best = max(
                    self._score(self._decoded(rate, decoding, parameters))[self.task.main_metric]
                    for parameters in self.task.decodings[decoding]
                )
                where = f"'{decoding}'" + (f" at {rate:g} frames/s" if rate else "")
                if lowest is None or not best >= lowest[0]:
                    lowest = best, where
        assert lowest is not None
        return Check(
            "decoding",
            lowest[0] >= LEAST,
            f"targets of the references, decoded by {lowest[1]}, score {lowest[0]:.3f}; at least "
            f"{LEAST:g} is required",
            "`decode` must invert `targets`: check labels, frame times and parameters",
        )

    def _decoded(
        self, rate: float, decoding: str, parameters: Mapping[str, float]
    ) -> list[Annotations]:
        return [
            self.task.decode(*self._logits(reference, rate or DECODED), decoding, parameters)
            for reference in self.references
        ]

    def _decoded_first(self) -> list[Annotations]:
        """Decoded by the first decoding with its first parameters."""
        decoding, grid = next(iter(self.task.decodings.items()))
        return self._decoded(DECODED, decoding, grid[0])

    def _logits(
        self, reference: Annotations, rate: float
    ) -> tuple[NDArray[np.float32], Floats | None]:
        """The targets of a track as logits, and the frame times."""
        target, times = self._targets(reference, rate)
        if times is None:
            return reference_logits(self.task, target[None])[0], None
        return reference_logits(self.task, target), times

    def scores(self) -> Check:
        """Metrics are those declared, and all values are numbers of at most 1, and mostly from 0.

        A regression's may be below 0.
        """
        found = self._score(self._decoded_first())
        conditions = conditions_of(self.task)(self.references)
        if set(found) != set(self.task.metrics):
            return Check("scores", False, self._undeclared(found), "declare what `score` returns")
        least = -np.inf if self.task.loss == "regression" else 0.0
        for name, value in found.items():
            ranked = not self.task.metrics[name].startswith("breakdown")
            if ranked and not least - 1e-9 <= value <= 1 + 1e-9:
                text = f"{name} is {value:.4g}"
                return Check("scores", False, text, f"give numbers from {least:g} to 1")
        if not isinstance(conditions, str):
            kind = type(conditions).__name__
            return Check("scores", False, f"conditions is a {kind}", "return a string")
        return Check("scores", True, ", ".join(f"{k} {v:.3f}" for k, v in found.items()))

    def perfection(self) -> Check:
        """No estimate scores better than the reference itself."""
        perfect = self._score(self.references)[self.task.main_metric]
        turned = self.references[1:] + self.references[:1]
        others = {
            "the references of other tracks": turned,
            "the decoded targets": self._decoded_first(),
        }
        remedy = "`score` takes (references, estimates), and higher must be better"
        for what, estimates in others.items():
            value = self._score(estimates)[self.task.main_metric]
            if value > perfect + 1e-9:
                found = f"{what} score {value:.3f}, the references {perfect:.3f}"
                return Check("perfection", False, found, remedy)
        found = f"the references scored against themselves give {perfect:.3f}"
        if not perfect >= LEAST:
            found += f"; they must give the best score, at least {LEAST:g}"
        return Check("perfection", bool(perfect >= LEAST), found, remedy)

    def shortcuts(self) -> Check:
        """`decode_grid` and `score_main` give what `decode` and `score` give."""
        task = self.task
        own = [name for name in ("decode_grid", "score_main") if hasattr(task, name)]
        if not own:
            return Check("shortcuts", None, "the task has neither decode_grid nor score_main")
        for decoding, grid in task.decodings.items():
            each = [self._decoded(DECODED, decoding, parameters) for parameters in grid]
            for track, reference in enumerate(self.references):
                together = decode_grid(task, *self._logits(reference, DECODED), decoding)
                alone = [estimates[track] for estimates in each]
                if list(map(to_json, together)) != list(map(to_json, alone)):
                    found = f"decode_grid differs from decode in '{decoding}'"
                    return Check("shortcuts", False, found, "return what `decode` returns")
            value = score_main(task, self.references, each[0]).value()
            expected = self._score(each[0])[task.main_metric]
            if not np.isclose(value, expected, rtol=0, atol=1e-12, equal_nan=True):
                found = f"score_main is {value:.6g}, {task.main_metric} of score {expected:.6g}"
                return Check("shortcuts", False, found, "return the main metric of `score`")
        return Check("shortcuts", True, f"{' and '.join(own)} agree with decode and score")

    def _score(self, estimates: Sequence[Annotations]) -> dict[str, float]:
        found: Any = self.task.score(self.references, estimates)
        if not isinstance(found, Mapping) or not all(
            isinstance(one, Statistic) for one in found.values()
        ):
            raise ConfigError(
                "score must return a Statistic for each metric (mirprobe.weighted_mean)"
            )
        if self.task.main_metric not in found:
            raise ConfigError(self._undeclared(found))
        return {name: value.value() for name, value in found.items()}

    def _undeclared(self, found: Mapping[str, object]) -> str:
        returned, declared = (
            ", ".join(f"'{name}'" for name in names) for names in (found, self.task.metrics)
        )
        many = "metrics" if len(found) > 1 else "metric"
        return f"score returned the {many} {returned or 'none'}; `metrics` declares {declared}"

    def _targets(self, reference: Annotations, rate: float) -> tuple[NDArray[Any], Floats | None]:
        """Targets, and the frame times: up to the end of the annotation."""
        times = None
        if self.task.level == "frame":
            duration = _end(reference.get(self.task.annotation))
            times = np.arange(int(duration * rate) + 1) / rate
        return self.task.targets(reference, times), times


def _end(value: object) -> float:
    """The last second of an annotation."""
    if isinstance(value, Segments):
        value = value.intervals
    elif isinstance(value, Beats):
        value = value.times
    if isinstance(value, np.ndarray) and value.size:
        return float(value.max())
    return _SILENCE
