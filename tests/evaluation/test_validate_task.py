from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.tones import Tones
from numpy.typing import NDArray
from typer.testing import CliRunner

from mirprobe.api.task import Task
from mirprobe.cli.app import app
from mirprobe.core.bootstrap import Statistic, weighted_mean
from mirprobe.core.check import Check
from mirprobe.core.schema import Annotations, Beats, Floats, Level, Loss
from mirprobe.evaluation.validate_task import validate_task


class Downbeats:
    """A right task: which frame has the downbeat, decoded as times."""

    name = "downbeats"
    level: Level = "frame"
    annotation = "beats"
    loss: Loss = "multilabel"
    labels: tuple[str, ...] = ("downbeat",)
    main_metric = "f1"
    metrics: Mapping[str, str] = {"f1": "70 ms", "breakdown_n": "breakdown: estimates per track"}
    decodings: Mapping[str, Sequence[Mapping[str, float]]] = {"peak": ({"above": 0.0},)}

    def targets(self, annotations: Annotations, times: Floats | None) -> NDArray[Any]:
        assert times is not None
        assert annotations.beats is not None
        rate = 1 / (times[1] - times[0]) if len(times) > 1 else 1.0
        target = np.zeros((len(times), 1), dtype=np.float32)
        frames = np.round(self.wanted(annotations) * rate).astype(int)
        target[frames[frames < len(times)]] = 1
        return target

    def wanted(self, annotations: Annotations) -> Floats:
        beats = annotations.beats
        assert beats is not None
        return beats.times if beats.positions is None else beats.times[beats.positions == 1]

    def decode(
        self,
        logits: NDArray[np.float32],
        times: Floats | None,
        decoding: str,
        parameters: Mapping[str, float],
    ) -> Annotations:
        assert times is not None
        found = times[logits[:, 0] > parameters["above"]]
        return Annotations(beats=Beats(found, np.ones(len(found), dtype=np.int64)))

    def score(
        self, references: Sequence[Annotations], estimates: Sequence[Annotations]
    ) -> dict[str, Statistic]:
        values, counts = [], []
        for reference, estimate in zip(references, estimates, strict=True):
            wanted, found = self.wanted(reference), self.wanted(estimate)
            hits = sum(bool((abs(wanted - time) < 0.07).any()) for time in found)
            values.append(2 * hits / (len(wanted) + len(found)))
            counts.append(float(len(found)))
        return {"f1": weighted_mean(values), "breakdown_n": weighted_mean(counts)}


def checks(task: Task, tones: Tones) -> dict[str, Check]:
    return {check.name: check for check in validate_task(task, tones)}


def test_a_right_task_passes(tones: Tones) -> None:
    found = checks(Downbeats(), tones)
    assert list(found) == [
        "members",
        "tracks",
        "targets",
        "decoding",
        "scores",
        "perfection",
        "shortcuts",
    ]
    assert all(check.passed for name, check in found.items() if name != "shortcuts"), found
    assert found["shortcuts"].passed is None
    assert found["tracks"].found == "24 of 24 with 'beats' are usable"


def wrong_targets(change: Any) -> Any:
    return lambda self, annotations, times: change(Downbeats.targets(self, annotations, times))


def wrong_score(change: Any) -> Any:
    return lambda self, references, estimates: change(
        Downbeats.score(self, references, estimates), references, estimates
    )


@pytest.mark.parametrize(
    ("changes", "name", "message"),
    [
        (
            {"loss": "hinge"},
            "members",
            "loss 'hinge' is not one of multiclass, ",
        ),
        ({"labels": ("a", "a")}, "members", "labels is not a tuple of different strings"),
        ({"main_metric": "f2"}, "members", "main_metric 'f2' is not among the metrics"),
        ({"main_metric": "breakdown_n"}, "members", "main_metric is a breakdown"),
        ({"decodings": {"peak": ()}}, "members", "decodings does not map names to non-empty"),
        ({"annotation": "sections"}, "tracks", "data set 'tones' has no annotation 'sections'"),
        ({"targets": wrong_targets(lambda t: t[:-1])}, "targets", "shape "),
        ({"targets": wrong_targets(lambda t: t[:, 0])}, "targets", "shape "),
        ({"targets": wrong_targets(lambda t: t.astype(int))}, "targets", "number type int64, not"),
        ({"targets": wrong_targets(lambda t: 2 * t)}, "targets", "targets must be 0 to 1; found 2"),
        (
            {"targets": wrong_targets(lambda t: 1 - t)},
            "decoding",
            "targets of the references, decoded by 'peak'",
        ),
        (
            {"score": wrong_score(lambda found, *_: {"f1": found["f1"]})},
            "scores",
            "score returned the metric 'f1'; `metrics` declares 'f1', 'breakdown_n'",
        ),
        (
            {"score": wrong_score(lambda found, *_: {**found, "f1": weighted_mean([100.0])})},
            "scores",
            "f1 is 100",
        ),
        (
            {"score": wrong_score(lambda found, *_: {**found, "f3": found["f1"]})},
            "scores",
            "score returned the metrics 'f1', 'breakdown_n', 'f3'; `metrics` declares 'f1'",
        ),
        (
            {"score": lambda self, *_: {"acc": weighted_mean([1.0])}},
            "decoding",
            "score returned the metric 'acc'; `metrics` declares 'f1', 'breakdown_n'",
        ),
        (
            {"score": lambda self, *_: 0.5},
            "decoding",
            "score must return a Statistic for each metric (mirprobe.weighted_mean)",
        ),
        (
            {"score": lambda self, *_: {"f1": 0.5, "breakdown_n": 1.0}},
            "decoding",
            "score must return a Statistic for each metric (mirprobe.weighted_mean)",
        ),
        ({"conditions": lambda self, references: 3}, "scores", "conditions is a int"),
        (
            {
                "score": lambda self, references, estimates: {
                    "f1": weighted_mean([1.0 - 0.04 * (references is estimates)] * len(estimates)),
                    "breakdown_n": weighted_mean([0.0] * len(estimates)),
                }
            },
            "perfection",
            "the references of other tracks score 1.000, the references 0.960",
        ),
        (
            {"score_main": lambda self, *pair: Downbeats.score(self, *pair)["breakdown_n"]},
            "shortcuts",
            "score_main is ",
        ),
        (
            {"decode_grid": lambda self, *given: [Annotations(beats=Beats(np.zeros(1)))]},
            "shortcuts",
            "decode_grid differs from decode in 'peak'",
        ),
        ({"decode": lambda self, *_: 1 / 0}, "decoding", "ZeroDivisionError: division by zero"),
    ],
)
def test_a_wrong_task_fails_one_check(
    changes: dict[str, Any], name: str, message: str, tones: Tones
) -> None:
    wrong: Task = type("Wrong", (Downbeats,), changes)()
    found = checks(wrong, tones)
    failed = {check.name: check.found for check in found.values() if check.passed is False}
    assert next(iter(failed)) == name, failed
    assert failed[name].startswith(message)


def test_a_member_that_is_missing(tones: Tones) -> None:
    class Empty:
        name = "empty"

    (only,) = validate_task(Empty(), tones)  # type: ignore[arg-type]
    assert only.found.startswith("lacks level, annotation, loss")


@pytest.mark.parametrize("task", ["key", "chord", "beat", "downbeat", "onset", "tagging", "tempo"])
def test_built_in_tasks_pass_on_the_studio(task: str, tmp_path: Path) -> None:
    words = ["validate-task", task, "--cache-dir", str(tmp_path)]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    passed = (
        "6 passed, 0 failed, 1" if task in ("key", "tagging", "tempo") else "7 passed, 0 failed, 0"
    )
    assert result.output.splitlines()[-1] == f"task '{task}': {passed} not applicable"


def test_the_exit_status_of_a_wrong_task_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "wrong.py").write_text("class Wrong:\n    def __init__(self, dataset): pass\n")
    result = CliRunner().invoke(app, ["validate-task", f"{tmp_path}/wrong.py:Wrong"])
    assert result.exit_code == 1
    assert result.output.startswith("FAIL  members           lacks name, level")
    assert CliRunner().invoke(app, ["validate-task", "kye"]).exit_code == 2
