"""Trainings that are killed and go on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.paths import TESTS
from helpers.small_training import rows, run, same
from safetensors import safe_open

from mirprobe.pretraining.fit import LATEST, STATE
from mirprobe.pretraining.train_step import Trainer


@pytest.fixture
def killed_after(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Makes training stop in its nth step, in the middle of it: gradients are there already."""

    def plan(last: int) -> None:
        original = Trainer._set_schedule

        def interrupted(self: Trainer, **options: float) -> None:
            count.append(1)
            if len(count) > last:
                raise KeyboardInterrupt
            original(self, **options)

        count: list[int] = []
        monkeypatch.setattr(Trainer, "_set_schedule", interrupted)

    return plan


@pytest.mark.parametrize(
    ("options", "model"),
    [
        ({}, "vit1d"),
        ({"objective": "cojepa"}, "vit1d-rope"),
        ({"hide": 0.5, "variants": 2}, "vit1d-rope"),
    ],
)
def test_a_killed_run_ends_with_the_weights_of_one_never_killed(
    tmp_path: Path,
    options: dict[str, Any],
    model: str,
    killed_after: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    options = {**options, "same_group": 0.5}
    run(tmp_path / "whole", model=model, **options)
    with monkeypatch.context():
        killed_after(6)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "killed", model=model, **options)
        monkeypatch.undo()
    with safe_open(tmp_path / "killed" / STATE, "pt") as file:
        assert json.loads(file.metadata()["head"])["done"] == 4
    leftover = tmp_path / "killed" / f".{STATE}.0.tmp"
    leftover.write_bytes(b"of a kill while writing")
    torch.rand(3)  # whatever else the process does with torch's generator
    again = run(tmp_path / "killed", model=model, **options)
    assert again.steps == 10
    assert not leftover.exists()
    assert same(tmp_path / "whole" / STATE, tmp_path / "killed" / STATE)
    assert same(tmp_path / "whole" / LATEST, tmp_path / "killed" / LATEST)
    logs = [rows(tmp_path / name / "training.csv") for name in ("whole", "killed")]
    for log in logs:
        for row in log:
            row.pop("segments_per_second")
    assert logs[0] == logs[1]
    assert [int(row["step"]) for row in logs[0]] == [2, 4, 6, 8, 10]


SLOW = """
import sys, time
from pathlib import Path
from helpers.small_training import run
from mirprobe.pretraining.train_step import Trainer

step = Trainer.step
Trainer.step = lambda self, number: time.sleep(0.05) or step(self, number)
run(Path(sys.argv[1]), steps=60)
"""


def test_a_process_that_was_killed_leaves_what_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    killed = tmp_path / "killed"
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW, str(killed)],
        env={**os.environ, "PYTHONPATH": str(TESTS), "OMP_NUM_THREADS": "1"},
    )
    while not (killed / STATE).exists():
        assert process.poll() is None
        time.sleep(0.02)
    time.sleep(0.3)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    with safe_open(killed / STATE, "pt") as file:
        assert 0 < json.loads(file.metadata()["head"])["done"] < 60
    for name in ("killed", "whole"):
        assert run(tmp_path / name, steps=60).steps == 60
    for name in (STATE, LATEST):
        assert same(killed / name, tmp_path / "whole" / name)


def test_a_run_that_began_with_weights_goes_on_without_loading_them_again(
    tmp_path: Path, killed_after: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path / "first")
    weights = tmp_path / "first" / LATEST
    run(tmp_path / "whole", begin_with=weights)
    with monkeypatch.context():
        killed_after(6)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "killed", begin_with=weights)
        monkeypatch.undo()
    run(tmp_path / "killed", begin_with=weights)
    assert same(tmp_path / "whole" / LATEST, tmp_path / "killed" / LATEST)
