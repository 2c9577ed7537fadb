from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from mirprobe.api.dataset import Dataset
from mirprobe.api.task import Task
from mirprobe.core.errors import ConfigError, TrackError
from mirprobe.core.schema import Annotations
from mirprobe_tasks.tagging import Tagging

DATASET = cast(Dataset, SimpleNamespace(name="stub", tags=("drums", "piano", "voice"), trim=0.0))
NOTHING: dict[str, float] = {}


def tagged(*tags: str) -> Annotations:
    return Annotations(tags=dict.fromkeys(tags, 1.0))


def test_is_a_task_with_the_data_sets_labels() -> None:
    task: Task = Tagging(DATASET)
    assert task.labels == ("drums", "piano", "voice")
    assert task.main_metric in task.metrics


def test_a_data_set_without_tags() -> None:
    with pytest.raises(ConfigError, match="stub has no tags"):
        Tagging(cast(Dataset, SimpleNamespace(name="stub", tags=(), trim=0.0)))


def test_targets() -> None:
    target = Tagging(DATASET).targets(tagged("voice", "drums"), None)
    assert target.dtype == np.float32
    assert target.tolist() == [1, 0, 1]
    assert Tagging(DATASET).targets(tagged(), None).tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("annotations", "message"),
    [
        (Annotations(), "no tags"),
        (tagged("oboe"), '"oboe"'),
        (Annotations(tags={"piano": 2.0}), '"piano" has relevance 2'),
        (Annotations(tags={"piano": float("nan")}), "nan"),
    ],
)
def test_malformed_tags(annotations: Annotations, message: str) -> None:
    with pytest.raises(TrackError, match=message):
        Tagging(DATASET).targets(annotations, None)


def test_decode_keeps_the_order_of_large_logits() -> None:
    logits = np.array([0.0, 20.0, 25.0], dtype=np.float32)
    tags = Tagging(DATASET).decode(logits, None, "scores", NOTHING).tags
    assert tags is not None
    assert tags["drums"] == 0.5
    assert tags["piano"] < tags["voice"] < 1


def test_score_and_the_tags_that_it_leaves_out() -> None:
    task = Tagging(DATASET)
    references = [tagged("drums", "piano"), tagged("piano"), tagged("drums", "piano")]
    logits = np.array([[2, 0, 0], [1, 0, 1], [0, 1, 2]], dtype=np.float32)
    estimates = [task.decode(row, None, "scores", NOTHING) for row in logits]
    scores = {name: value.value() for name, value in task.score(references, estimates).items()}
    assert set(scores) == set(task.metrics)
    assert scores["roc_auc"] == 0.5  # drums only: above one negative, below ... the same one
    assert scores["map"] == pytest.approx((1 + 2 / 3) / 2)
    assert task.conditions(references) == (
        "2 to 2 positives a tag (median 2); tags left out: piano, voice"
    )
