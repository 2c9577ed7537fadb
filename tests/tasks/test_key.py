from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from mirprobe.api.dataset import Dataset
from mirprobe.api.task import Task
from mirprobe.core.errors import TrackError
from mirprobe.core.schema import Annotations
from mirprobe_tasks.key import Key

DATASET = cast(Dataset, SimpleNamespace(name="stub", tags=(), trim=0.0))
NOTHING: dict[str, float] = {}


def test_is_a_task_of_24_keys() -> None:
    task: Task = Key(DATASET)
    assert len(set(task.labels)) == 24
    assert task.main_metric in task.metrics


def test_every_key_comes_back_and_scores_one() -> None:
    task = Key(DATASET)
    references = [Annotations(key=label) for label in task.labels]
    targets = np.array([task.targets(reference, None) for reference in references])
    assert targets.tolist() == list(range(24))
    logits = np.eye(24, dtype=np.float32)[targets]
    estimates = [task.decode(row, None, "argmax", NOTHING) for row in logits]
    scores = {name: value.value() for name, value in task.score(references, estimates).items()}
    assert set(scores) == set(task.metrics)
    assert scores["mirex"] == scores["mirex_ascending"] == scores["accuracy"] == 1
    assert scores["fifth"] == scores["relative"] == scores["parallel"] == scores["other"] == 0


@pytest.mark.parametrize(
    ("spelled", "label"),
    [("Db major", "C# major"), ("bb minor", "A# minor"), ("Gb major", "F# major")],
)
def test_enharmonic_spellings(spelled: str, label: str) -> None:
    task = Key(DATASET)
    assert task.labels[int(task.targets(Annotations(key=spelled), None))] == label


@pytest.mark.parametrize("key", ["X", "D other"])
def test_outside_the_label_space(key: str) -> None:
    target = Key(DATASET).targets(Annotations(key=key), None)
    assert target.shape == ()
    assert target.dtype == np.int64
    assert target == -1


@pytest.mark.parametrize("key", ["", "H major", "C Major", "C dorian", "A"])
def test_an_unreadable_key_is_named(key: str) -> None:
    with pytest.raises(TrackError, match=f'key "{key}": write'):
        Key(DATASET).targets(Annotations(key=key), None)


def test_a_missing_key() -> None:
    with pytest.raises(TrackError, match="no key"):
        Key(DATASET).targets(Annotations(), None)
