"""Two data sets of a user's own, joined and crossed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.miniatures import refusal, text, tone

from mirprobe.api.dataset import Dataset
from mirprobe.core.schema import SPLITS
from mirprobe.evaluation.config import make_config
from mirprobe.evaluation.setup import make_dataset, make_task

Together = Callable[..., Dataset]


@pytest.fixture
def together(tmp_path: Path) -> Together:
    """Makes the data set of a run over the descriptions `a.yaml` and `b.yaml`."""
    for name in ("a", "b"):
        rows = "file,key,genre,split\n"
        for number, split in enumerate(SPLITS):
            tone(tmp_path / name / f"{number}.wav", frequency=200.0 + 10 * number)
            rows += f"{number}.wav,C major,{name}{number},{split}\n"
        text(tmp_path / f"{name}.csv", rows.replace("file", "audio"))
        text(tmp_path / f"{name}.yaml", f"audio: {name}\ntable: {name}.csv\n")

    def make(**sides: str) -> Dataset:
        specs = {
            side: "+".join(f"folder:config={tmp_path / file}" for file in files.split())
            for side, files in sides.items()
        }
        return make_dataset(make_config({"tasks": ["key"], **specs}))

    return make


def ids(dataset: Dataset) -> dict[str, list[str]]:
    return {split: [track.id for track in tracks] for split, tracks in dataset.splits().items()}


def test_joined(together: Together) -> None:
    dataset = together(dataset="a.yaml b.yaml")
    assert dataset.name == "a+b"
    assert ids(dataset) == {
        "train": ["a/0", "b/0"],
        "valid": ["a/1", "b/1"],
        "test": ["a/2", "b/2"],
    }
    tracks = dataset.splits()["test"]
    assert list(dataset.prepare(tracks)) == ["a/2", "b/2"]


def test_crossed(together: Together) -> None:
    dataset = together(train_dataset="a.yaml", test_dataset="b.yaml")
    assert dataset.name == "a -> b"
    assert ids(dataset) == {
        "train": ["a/0", "a/2"],
        "valid": ["a/1"],
        "test": ["b/0", "b/1", "b/2"],
    }


def test_names_of_ones_own(together: Together, tmp_path: Path) -> None:
    path = tmp_path / "b.yaml"
    path.write_text(path.read_text() + "name: a\n")
    assert refusal(lambda: together(dataset="a.yaml b.yaml")) == (
        "data set 'a+a' names one twice; join different ones, or name them apart"
    )
    path.write_text(path.read_text().replace("name: a", "name: club nights"))
    assert ids(together(dataset="a.yaml b.yaml"))["train"] == ["a/0", "club nights/0"]
    path.write_text("audio: b\nname: [a]\n")
    assert "'name' is ['a']; it takes a name" in refusal(lambda: together(dataset="b.yaml"))


def test_labels_that_differ_must_be_declared(together: Together, tmp_path: Path) -> None:
    dataset = together(dataset="a.yaml b.yaml")
    assert refusal(lambda: make_task("genre", dataset)) == (
        "data sets 'a' and 'b' cannot be joined for this task: they differ in 'vocabularies'; "
        "declare the same, or run the task on each"
    )
    for name in ("a", "b"):
        path = tmp_path / f"{name}.yaml"
        path.write_text(path.read_text() + "labels: {genre: [a0, a1, a2, b0, b1, b2]}\n")
    task = make_task("genre", together(dataset="a.yaml b.yaml"))
    assert task.labels == ("a0", "a1", "a2", "b0", "b1", "b2")


def test_the_name_of_a_description_begins_the_ids_of_joined_tracks(
    together: Together, tmp_path: Path
) -> None:
    text(tmp_path / "a.yaml", "name: mine\naudio: a\ntable: a.csv\n")
    assert ids(together(dataset="a.yaml b.yaml"))["train"] == ["mine/0", "b/0"]
