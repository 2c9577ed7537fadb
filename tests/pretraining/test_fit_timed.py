"""Trainings that are limited by time, and averaged weights."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.small_training import BANK, CONFIG, CPU, TINY, make_bank, rows, run, same
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from mirprobe.core.errors import ConfigError
from mirprobe.pretraining import training_run
from mirprobe.pretraining.config import DEFAULT_STEPS, FitConfig, Intervals
from mirprobe.pretraining.launch import make_fabric
from mirprobe.pretraining.train_step import Trainer
from mirprobe.pretraining.training_run import AVERAGE, LATEST, STATE
from mirprobe.vit1d.checkpoint import read_notes

MINUTES: dict[str, Any] = {"steps": None, "minutes": 1.0, "warmup": 0.2}


class FakeClock:
    """Advances by a fixed number of seconds with each step."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
        self.now = 1000.0
        self.steps = 0
        self.stop_after = -1
        original = Trainer.step

        def step(trainer: Trainer, number: int, spent: float) -> dict[str, Tensor]:
            if self.steps == self.stop_after:
                raise KeyboardInterrupt
            self.now += seconds
            self.steps += 1
            return original(trainer, number, spent)

        monkeypatch.setattr(Trainer, "step", step)
        monkeypatch.setattr(training_run, "perf_counter", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    return FakeClock(monkeypatch, 6.0)


def head(folder: Path) -> dict[str, float]:
    with safe_open(folder / STATE, "pt") as file:
        found: dict[str, float] = json.loads(file.metadata()["head"])
    return found


def test_the_schedule_follows_the_time_and_ends_with_it(tmp_path: Path, clock: FakeClock) -> None:
    done = run(tmp_path, intervals=Intervals(1, 0, 4), **MINUTES)
    assert (done.steps, clock.steps) == (10, 10)  # steps of 6 s in a minute
    log = rows(tmp_path / "training.csv")
    rates = [float(row["rate"]) for row in log]
    config = replace(CONFIG, **MINUTES)
    trainer = Trainer(BANK, TINY["vit1d"], config, make_fabric(CPU))
    assert rates == pytest.approx([trainer.schedule(0, 6.0 * n)["rate"] for n in range(10)])
    assert max(rates) == rates[2] == pytest.approx(config.lr)  # after 12 of 60 s
    assert rates[:3] == sorted(rates[:3])
    assert rates[2:] == sorted(rates[2:], reverse=True)
    assert trainer.schedule(0, 60.0) == pytest.approx(
        {"rate": config.final_lr, "decay": config.final_decay}
    )
    assert head(tmp_path)["seconds"] == 60.0
    assert head(tmp_path)["done"] == 10
    assert run(tmp_path, intervals=Intervals(1, 0, 4), **MINUTES).loss is None  # time is used up
    assert clock.steps == 10


def test_a_resumed_training_keeps_the_time_that_was_spent(tmp_path: Path, clock: FakeClock) -> None:
    intervals = Intervals(1, 0, 4)
    run(tmp_path / "whole", intervals=intervals, **MINUTES)
    clock.stop_after = clock.steps + 6
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "killed", intervals=intervals, **MINUTES)
    assert (head(tmp_path / "killed")["done"], head(tmp_path / "killed")["seconds"]) == (4, 24.0)
    clock.stop_after, clock.now = -1, clock.now + 9999.0  # time between the calls does not count
    assert run(tmp_path / "killed", intervals=intervals, **MINUTES).steps == 10
    assert same(tmp_path / "whole" / STATE, tmp_path / "killed" / STATE)
    assert head(tmp_path / "killed")["seconds"] == 60.0


def test_steps_and_time_exclude_each_other() -> None:
    with pytest.raises(ConfigError, match=r"steps=10 with a duration of 1\.5 hours: give one of"):
        FitConfig(steps=10, hours=1.5)
    assert FitConfig(hours=1, minutes=30).seconds == 5400
    assert (FitConfig().total_steps, FitConfig().seconds) == (DEFAULT_STEPS, None)
    assert FitConfig(minutes=1).total_steps is None
    for hours, minutes in ((0.0, None), (None, -1.0), (float("inf"), None)):
        with pytest.raises(ConfigError, match="a number above 0"):
            FitConfig(hours=hours, minutes=minutes)
    for average in (0.0, 1.0, float("nan")):
        with pytest.raises(ConfigError, match="a decay lies between 0 and 1"):
            FitConfig(average=average)


def test_weights_are_averaged_over_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bank = make_bank(held_out=3, frames=960)
    history: list[dict[str, Tensor]] = []
    original = Trainer._update_average

    def noted(self: Trainer, averaged: torch.nn.Module, step: int) -> None:
        if not history:
            history.append({name: w.clone() for name, w in averaged.state_dict().items()})
        original(self, averaged, step)  # type: ignore[arg-type]
        history.append({name: w.clone() for name, w in self.model.state_dict().items()})

    monkeypatch.setattr(Trainer, "_update_average", noted)
    done = run(tmp_path, bank, intervals=Intervals(2, 5, 4), average=0.3)
    expected = history[0]
    for step, weights in enumerate(history[1:]):
        decay = min(0.3, (1 + step) / (10 + step))
        expected = {n: decay * w + (1 - decay) * weights[n] for n, w in expected.items()}
    found = load_file(tmp_path / AVERAGE)
    assert found.keys() == load_file(tmp_path / LATEST).keys()
    for name, average in found.items():
        torch.testing.assert_close(average, expected[name])
    assert read_notes(tmp_path / AVERAGE)["step"] == "10"
    logged = [(row["step"], row["embedding"]) for row in rows(tmp_path / "retrieval.csv")]
    assert [step for step, name in logged if name == "average"] == ["5", "10"]
    assert done.retrieval["average"].queries == done.retrieval["model"].queries
    run(tmp_path / "plain", bank, intervals=Intervals(2, 5, 4))
    assert same(tmp_path / LATEST, tmp_path / "plain" / LATEST)  # the training does not change
    assert not (tmp_path / "plain" / AVERAGE).exists()


def test_a_resumed_training_continues_the_average(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path / "whole", average=0.9)
    with monkeypatch.context() as patch:
        FakeClock(patch, 1.0).stop_after = 6
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "killed", average=0.9)
    run(tmp_path / "killed", average=0.9)
    for name in (STATE, LATEST, AVERAGE):
        assert same(tmp_path / "whole" / name, tmp_path / "killed" / name)
    with pytest.raises(ConfigError, match="differs in average"):
        run(tmp_path / "killed", average=0.8)


def test_notes_are_strict_json_and_older_states_can_be_resumed(tmp_path: Path) -> None:
    def strict(text: str) -> None:
        def refuse(constant: str) -> None:
            raise AssertionError(constant)

        json.loads(text, parse_constant=refuse)

    options: dict[str, Any] = {"max_gap": float("inf"), "steps": 4}
    run(tmp_path, **options)
    with safe_open(tmp_path / STATE, "pt") as file:
        metadata = dict(file.metadata())
    strict(metadata["head"])
    strict(read_notes(tmp_path / LATEST)["fit"])
    old = json.loads(metadata["head"])
    for name in ("hours", "minutes", "average"):
        del old["begun_with"][name]
    del old["seconds"]
    old["begun_with"]["max_gap"] = float("inf")
    tensors = load_file(tmp_path / STATE)
    from safetensors.torch import save_file

    save_file(tensors, tmp_path / STATE, metadata={**metadata, "head": json.dumps(old)})
    assert run(tmp_path, **options).loss is None
