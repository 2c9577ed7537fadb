"""Trainings that are killed and go on."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.paths import HELPERS
from helpers.small_training import environment, rows, run, same
from safetensors import safe_open

from mirprobe.pretraining.train_step import Trainer
from mirprobe.pretraining.training_run import LATEST, STATE


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


def command(folder: Path, *options: str) -> list[str]:
    """A training of 60 steps that saves a state every 7 steps."""
    return [sys.executable, str(HELPERS / "slow_training.py"), str(folder), *options]


def finish(folder: Path) -> tuple[int, str]:
    """Run a training to its end; returns the exit status and what it wrote to stderr."""
    done = subprocess.run(
        command(folder), env=environment(), capture_output=True, text=True, check=False
    )
    return done.returncode, done.stderr


@contextmanager
def started(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A slow training in another process."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command(folder, "--slow"),
        env=environment(),
        stderr=pipe,
        text=True,
        # a shell lets its background processes ignore SIGINT
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(process: subprocess.Popen[str], path: Path) -> None:
    while not path.exists():
        assert process.poll() is None
        time.sleep(0.02)
    time.sleep(0.3)


def done(folder: Path) -> int:
    """Steps in the saved state."""
    with safe_open(folder / STATE, "pt") as file:
        return int(json.loads(file.metadata()["head"])["done"])


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    assert finish(folder) == (0, "")
    assert done(folder) == 60
    return folder


def test_a_process_that_was_killed_leaves_what_goes_on_to_the_same_weights(
    tmp_path: Path, undisturbed: Path
) -> None:
    with started(tmp_path) as process:
        wait_for(process, tmp_path / STATE)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert 0 < done(tmp_path) < 60
    assert finish(tmp_path) == (0, "")  # the lock of the killed process is gone
    for name in (STATE, LATEST):
        assert same(tmp_path / name, undisturbed / name)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_saves_the_state_and_no_step_is_lost(
    tmp_path: Path, undisturbed: Path, number: signal.Signals, status: int
) -> None:
    with started(tmp_path) as process:
        wait_for(process, tmp_path / "training.csv")
        process.send_signal(number)
        _, error = process.communicate()
    assert process.returncode == status
    steps = done(tmp_path)
    assert 0 < steps < 7  # before the first state that is due
    assert error == (
        f"{tmp_path}: stopped by {number.name} after step {steps} of 60; the state is saved, the "
        "same command continues\n"
    )
    logged = [int(row["step"]) for row in rows(tmp_path / "training.csv")]
    assert logged[-1] == steps
    assert finish(tmp_path) == (0, "")
    for name in (STATE, LATEST):
        assert same(tmp_path / name, undisturbed / name)
    logged = [int(row["step"]) for row in rows(tmp_path / "training.csv")]
    assert logged == sorted({*range(2, 61, 2), *range(7, 61, 7), steps})


def test_a_second_training_in_the_folder_is_refused(tmp_path: Path) -> None:
    with started(tmp_path) as first:
        wait_for(first, tmp_path / "training.csv")
        status, error = finish(tmp_path)
        first.terminate()
        first.communicate()
    assert (status, first.returncode) == (2, 143)
    assert error.count("\n") == 1
    assert error.startswith(f"error: {tmp_path}: another process writes to this folder; wait")
    assert finish(tmp_path) == (0, "")


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
