"""Tasks on fields that the user names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from helpers.miniatures import text, tone
from helpers.task_checks import NOTHING, as_a_task, certain, grid, scored

from mirprobe.api.dataset import Dataset
from mirprobe.api.registry import TASKS
from mirprobe.api.task import Task
from mirprobe.core.annotations import from_json, to_json
from mirprobe.core.errors import ConfigError, TrackError
from mirprobe.core.schema import Annotations, Beats, Segments, Track
from mirprobe.metrics.events import event_scores
from mirprobe.metrics.segments import corpus_scores
from mirprobe_tasks.classification import Classification
from mirprobe_tasks.datasets.folder import Folder
from mirprobe_tasks.events import Events
from mirprobe_tasks.onset import Onset
from mirprobe_tasks.regression import Regression
from mirprobe_tasks.segments import SegmentLabels
from mirprobe_tasks.tagging import Tagging


def dataset(values: Sequence[Any], field: str = "own", **declared: Any) -> Dataset:
    """A data set whose training tracks have these values of a field of their own."""
    tracks = [
        Track(str(i), Path("none"), str(i), Annotations(extra={field: value}))
        for i, value in enumerate(values)
    ]
    members = {"name": "stub", "tags": (), "trim": 0.0, "splits": lambda: {"train": tracks}}
    return cast(Dataset, SimpleNamespace(**{**members, **declared}))


def own(value: Any) -> Annotations:
    return Annotations(extra={"own": value})


EVENTS = {"clap": Beats(np.array([1.0, 2.0])), "snap": Beats(np.array([1.5]))}
SEGMENTS = Segments(np.array([[1.0, 2.0], [2.0, 4.0]]), ("slow", "fast"))


def test_classes_are_those_that_occur_or_the_declared_ones() -> None:
    task = Classification(dataset(["bow", "pluck", "bow"]), "own")
    as_a_task(cast(Task, task))
    assert task.labels == ("bow", "pluck")
    estimates = [task.decode(row, None, "argmax", NOTHING) for row in np.eye(2, dtype=np.float32)]
    assert [one.get("own") for one in estimates] == ["bow", "pluck"]
    references = [own("bow"), own("bow")]
    assert scored(cast(Task, task), references, estimates)["accuracy"] == 0.5
    declared = dataset(["bow"], vocabularies={"own": ("pluck", "bow")})
    assert Classification(declared, "own").labels == ("pluck", "bow")
    numbers = Classification(dataset([3, 1]), "own")
    assert int(numbers.targets(own(3), None)) == 1


def test_numbers() -> None:
    task = Regression(dataset(["0.5", 2]), "own")
    as_a_task(cast(Task, task))
    assert [task.targets(own(value), None).tolist() for value in ("0.5", 2)] == [[0.5], [2.0]]
    references = [own("1"), own("2"), own("3")]
    means = [task.decode(np.array([2.0], np.float32), None, "numbers", NOTHING)] * 3
    assert scored(cast(Task, task), references, means) == {"r2": 0.0}
    with pytest.raises(TrackError, match="own 'loud': write a number"):
        task.targets(own("loud"), None)


def test_tags() -> None:
    task = Tagging(dataset([["calm", "dark"], "dark", {"wide": 1.0}]), "own")
    assert task.labels == ("calm", "dark", "wide")
    assert task.targets(own(["dark", "wide"]), None).tolist() == [0, 1, 1]
    references = [own("dark"), own("calm")]
    estimates = [
        task.decode(np.array(row, np.float32), None, "scores", NOTHING)
        for row in ([0, 1, 0], [1, 0, 0])
    ]
    assert scored(task, references, estimates) == {"roc_auc": 1.0, "map": 1.0}


def test_events_with_labels() -> None:
    task = Events(dataset([EVENTS]), "own", tolerance=0.1)
    as_a_task(cast(Task, task))
    assert task.labels == ("clap", "snap")
    times = grid(100, 4)
    logits = certain(task.targets(own(EVENTS), times))
    estimate = task.decode(logits, times, "peak", {"threshold": 0.5})
    estimate = from_json(to_json(estimate))
    assert scored(cast(Task, task), [own(EVENTS)], [estimate])["f_measure"] == 1.0
    swapped = own({"clap": EVENTS["snap"], "snap": EVENTS["clap"]})
    assert scored(cast(Task, task), [own(EVENTS)], [swapped])["f_measure"] == 0.0
    one = own({"clap": EVENTS["clap"]})  # two of three found, nothing wrong
    assert scored(cast(Task, task), [own(EVENTS)], [one]) == {
        "f_measure": pytest.approx(0.8),
        "precision": 1.0,
        "recall": pytest.approx(2 / 3),
    }


def test_events_of_onsets_are_the_task_onset() -> None:
    rng = np.random.default_rng(0)
    onsets = np.sort(rng.uniform(0, 10, 30))
    reference = Annotations(onsets=onsets)
    track = Track("a", Path("none"), "a", reference)
    stub = dataset([], splits=lambda: {"train": [track]})
    task, onset = Events(stub, "onsets"), Onset(stub)
    times = grid(50, 10)
    np.testing.assert_array_equal(task.targets(reference, times), onset.targets(reference, times))
    logits = rng.normal(-2, 2, (len(times), 1)).astype(np.float32)
    for ours, theirs in zip(
        task.decode_grid(logits, times, "peak", task.decodings["peak"]),
        onset.decode_grid(logits, times, "peak", onset.decodings["peak"]),
        strict=True,
    ):
        np.testing.assert_array_equal(ours.onsets, theirs.onsets)
        found = scored(cast(Task, task), [reference], [ours])
        assert theirs.onsets is not None
        assert tuple(found.values()) == event_scores(onsets, theirs.onsets, 0.05)


def test_segments() -> None:
    task = SegmentLabels(dataset([SEGMENTS]), "own", tolerance=0.2)
    as_a_task(cast(Task, task))
    assert task.labels == ("fast", "slow", "none")
    times = grid(10, 6)
    target = task.targets(own(SEGMENTS), times)
    logits = np.eye(3, dtype=np.float32)[target]
    estimate = task.decode(logits, times, "mean", {"smoothing": 0.0})
    value = estimate.get("own")
    assert value.labels == ("none", "slow", "fast", "none")
    np.testing.assert_allclose(value.intervals[:, 0], [0, 0.95, 1.95, 3.95])
    found = scored(cast(Task, task), [own(SEGMENTS)], [estimate])
    # three boundaries, 0.05 s early each, in 5.95 s
    assert found == {"accuracy": pytest.approx(1 - 0.15 / 5.95), "boundary_f": 1.0}


def test_accuracy_of_segments_is_the_share_of_time() -> None:
    estimate = Segments(np.array([[0.0, 3.0], [3.0, 5.0]]), ("slow", "none"))
    scores = corpus_scores([SEGMENTS], [estimate], 0.5)
    # right from 1 to 2 s and from 4 to 5 s; no boundary of 1, 2 and 4 s lies near 3 s
    assert scores["accuracy"].value() == pytest.approx(2 / 5)
    assert scores["boundary_f"].value() == 0.0
    near = corpus_scores([SEGMENTS], [estimate], 1.0)["boundary_f"].value()
    assert near == pytest.approx(2 * 1 * (1 / 3) / (1 + 1 / 3))


@pytest.mark.parametrize(
    ("make", "values", "message"),
    [
        (lambda d: Classification(d, "owl"), ["a"], "no track has the field 'owl'; did you mean"),
        (lambda d: Classification(d, "own"), [["a", "b"]], "list is no label"),
        (lambda d: Regression(d, "own"), ["a"], "has no number"),
        (lambda d: Tagging(d, "own"), [1.0], "float is no tags"),
        (lambda d: Events(d, "own"), ["a"], "str is no events"),
        (lambda d: Events(d, "own", -1), [EVENTS], "tolerance is -1; give seconds above 0"),
        (lambda d: SegmentLabels(d, "own"), ["a"], "str is no segments"),
        (lambda d: SegmentLabels(d, "own", np.inf), [SEGMENTS], "tolerance is inf; give seconds"),
    ],
)
def test_fields_that_do_not_serve(make: Any, values: list[Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make(dataset(values))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_fields_of_a_folder(tmp_path: Path) -> None:
    for name in ("one", "two", "three"):
        tone(tmp_path / "recordings" / f"{name}.wav", 1.0)
        text(tmp_path / "recordings" / f"{name}.claps", "0.5 left\n0.25 right\n")
        text(tmp_path / "recordings" / f"{name}.solos", "0.0 0.5 guitar\n")
    text(
        tmp_path / "labels.csv",
        "audio,technique,energy,moods,split\none,bow,1,calm; dark,train\ntwo,pluck,2,dark,valid\n"
        "three,bow,3,,test\n",
    )
    yaml = (
        "audio: recordings\ntable: labels.csv\nevents: {claps: .claps}\nsegments: {solos: .solos}\n"
        "labels: {technique: [pluck, bow]}\n"
    )
    text(tmp_path / "my.yaml", yaml)
    made = Folder(tmp_path, config=str(tmp_path / "my.yaml"))
    [track] = made.splits()["train"]
    assert track.annotations.extra is not None
    assert track.annotations.extra["moods"] == ["calm", "dark"]
    np.testing.assert_array_equal(track.annotations.extra["claps"]["left"].times, [0.5])
    labels = {
        spec: TASKS.create(spec, made).labels
        for spec in (
            *("classification:field=technique", "regression:energy", "tagging:field=moods"),
            *("events:field=claps,tolerance=0.1", "segments:field=solos"),
        )
    }
    assert list(labels.values()) == [
        *(("pluck", "bow"), ("energy",), ("calm", "dark"), ("left", "right"), ("guitar", "none")),
    ]
    text(tmp_path / "my.yaml", yaml.replace("technique:", "tecnique:"))
    with pytest.raises(ConfigError, match=r"no track has a field 'tecnique'; did you mean"):
        Folder(tmp_path, config=str(tmp_path / "my.yaml"))
    text(tmp_path / "my.yaml", yaml)
    text(tmp_path / "recordings" / "one.claps", "0.5 left\n0.7\n")
    with pytest.raises(ConfigError, match=r"one\.claps: some lines have a label and others none"):
        Folder(tmp_path, config=str(tmp_path / "my.yaml"))
