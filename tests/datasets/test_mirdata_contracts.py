"""What holds for every data set of mirdata, on a miniature of its real layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import helpers.mirdata_miniatures_harmony  # noqa: F401  (brings its miniatures)
import numpy as np
import pytest
from helpers.built_mirdata import build, places, tracks
from helpers.mirdata_miniatures import MINIATURES, SECONDS

from mirprobe.api.dataset import Downloadable
from mirprobe.api.registry import DATASETS, TASKS
from mirprobe.core.annotations import check_annotation
from mirprobe_tasks.datasets.mirdata.adapter import MirdataDataset

NAMES = sorted(MINIATURES)


def test_every_registered_data_set_of_mirdata_has_a_miniature() -> None:
    ours = [
        name
        for name in DATASETS.names()
        if isinstance(DATASETS.get(name), type) and issubclass(DATASETS.get(name), MirdataDataset)  # type: ignore[arg-type]
    ]
    assert ours == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_annotation_fits_its_audio_and_its_task(name: str, tmp_path: Path) -> None:
    dataset = build(name, tmp_path)
    found = list(tracks(dataset).values())
    assert dataset.name == name
    assert dataset.faults == {}
    assert isinstance(dataset, Downloadable)
    assert list(dataset.prepare(found)) == [track.id for track in found]
    for track in found:
        assert track.audio.is_file()
        for field, value in vars(track.annotations).items():
            if value is not None:
                check_annotation(track.annotations, field, SECONDS)
    times = np.arange(0, SECONDS, 0.04)
    served = 0
    for task_name in TASKS.names():
        factory: Any = TASKS.get(task_name)
        field = factory.annotation
        given: list[Any] = [t for t in found if t.annotations.get(field) is not None]
        if given and (task_name != "tagging" or dataset.tags):
            task = factory(dataset)
            for track in given:
                if task_name == "downbeat" and track.annotations.beats.positions is None:
                    continue
                task.targets(track.annotations, times if task.level == "frame" else None)
            served += 1
    wanted = {"tags", "key", "chords", "beats"} & set(dataset.fields)
    assert served >= len(wanted)


@pytest.mark.parametrize("name", NAMES)
def test_labels_are_within_the_declared_vocabularies(name: str, tmp_path: Path) -> None:
    dataset = build(name, tmp_path)
    assert len(set(dataset.tags)) == len(dataset.tags)
    for track in tracks(dataset).values():
        assert set(track.annotations.tags or ()) <= set(dataset.tags)
        for field, labels in dataset.vocabularies.items():
            assert getattr(track.annotations, field) in labels
    for field in ("genre", "instrument"):
        assert (field in dataset.fields) == (field in dataset.vocabularies)


@pytest.mark.parametrize("name", NAMES)
def test_no_group_is_torn_apart(name: str, tmp_path: Path) -> None:
    dataset = build(name, tmp_path)
    groups: dict[str, set[str]] = {}
    split_of = places(dataset)
    for key, track in tracks(dataset).items():
        groups.setdefault(track.group, set()).add(split_of[key])
    assert all(len(splits) == 1 for splits in groups.values())
