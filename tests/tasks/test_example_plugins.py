"""The size of a new task and of a new mirdata data set: one file each, run through the harness."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.mirdata_miniatures import Folder, Tracks, lines
from helpers.paths import ROOT
from helpers.small_encoders import Bands
from helpers.task_checks import as_a_task, declared, scored
from helpers.workbench import QUICK

from mirprobe.api.registry import DATASETS, ENCODERS, TASKS
from mirprobe.api.task import Task
from mirprobe.core.errors import TrackError
from mirprobe.core.schema import SPLITS, Annotations
from mirprobe.data.paths import DataFolders
from mirprobe.evaluation.config import make_config
from mirprobe.evaluation.runner import run
from mirprobe.probing import probes

EXAMPLES = ROOT / "tests" / "examples"
TASK = f"{EXAMPLES / 'time_signature.py'}:TimeSignature"
DATASET = f"{EXAMPLES / 'candombe.py'}:Candombe"


def signed(signature: str) -> Annotations:
    return Annotations(extra={"time_signature": signature})


@pytest.fixture
def time_signature() -> Task:
    return TASKS.create(TASK, declared())


def candombe(folder: Folder) -> None:
    """Twenty sessions of two takes; every other session is in 3/4."""
    tracks: Tracks = {}
    for session in range(20):
        beats_per_bar = 4 - session % 2
        beats = [f"{0.1 + 0.4 * n:.1f},1.{n % beats_per_bar + 1}" for n in range(7)]
        for take in ("01", "02"):
            name = f"session{session}_{take}"
            tracks[name] = {
                "audio": folder.tone(f"audio/{name}.flac"),
                "beats": folder.text(f"annotations/{name}.csv", lines(*beats)),
            }
    folder.index("candombe_index_1.0.json", tracks)


@pytest.mark.parametrize(("name", "most"), [("time_signature", 60), ("candombe", 30)])
def test_the_file_is_short(name: str, most: int) -> None:
    assert len((EXAMPLES / f"{name}.py").read_text(encoding="utf-8").splitlines()) <= most


def test_the_task_is_complete(time_signature: Task) -> None:
    as_a_task(time_signature)
    references = [signed(signature) for signature in ("2/4", "3/4", "4/4", "7/8")]
    targets = [int(time_signature.targets(track, None)) for track in references]
    assert targets == [0, 1, 2, -1]
    logits = np.eye(3, dtype=np.float32)[targets]
    estimates = [time_signature.decode(row, None, "argmax", {}) for row in logits]
    assert [track.get("time_signature") for track in estimates] == ["2/4", "3/4", "4/4", "4/4"]
    assert scored(time_signature, references, estimates) == {"accuracy": 1}


@pytest.mark.parametrize(
    ("annotations", "message"),
    [(Annotations(), "has no time_signature"), (signed("waltz"), 'time signature "waltz": write')],
)
def test_malformed_annotations(
    time_signature: Task, annotations: Annotations, message: str
) -> None:
    with pytest.raises(TrackError, match=message):
        time_signature.targets(annotations, None)


def test_the_data_set_keeps_sessions_in_one_split(tmp_path: Path) -> None:
    candombe(Folder(tmp_path))
    dataset = DATASETS.create(DATASET, root=tmp_path)
    parts = dataset.splits()
    groups = [{track.group for track in parts[split]} for split in SPLITS]
    assert sum(len(part) for part in groups) == len(set().union(*groups)) == 20
    first = next(track for split in SPLITS for track in parts[split] if track.id == "session1_02")
    assert first.group == "session1"
    assert first.annotations.get("time_signature") == "3/4"
    assert first.annotations.beats is not None
    assert first.annotations.beats.positions is not None
    assert first.annotations.beats.positions.tolist() == [1, 2, 3, 1, 2, 3, 1]


def test_both_run_through_the_harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(probes.PRESETS, "standard", QUICK)
    monkeypatch.setitem(ENCODERS._factories, "bands", Bands)
    cache, home = tmp_path / "cache", tmp_path / "home"
    candombe(Folder(DataFolders(cache, home).root(DATASET)))
    config = make_config(
        {
            "encoders": ["bands"],
            "tasks": [TASK, "beat"],
            "dataset": DATASET,
            "layers": "all",
            "data_home": home,
            "cache_dir": cache,
            "results_dir": tmp_path / "results",
        }
    )
    result = run(config)
    assert (result.failures, result.problems) == ({}, {})
    assert len(set(result.scores["task"])) == 2
    rows = result.scores[(result.scores["metric"] == "accuracy") & result.scores["selected"]]
    assert rows["value"].between(0, 1).all()
