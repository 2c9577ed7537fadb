from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.paths import HELPERS
from helpers.small_training import (
    BANK,
    CONFIG,
    INTERVALS,
    TINY,
    environment,
    make_bank,
    rows,
    run,
    same,
)
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from mirprobe.core.errors import ConfigError, StorageError
from mirprobe.pretraining.config import DeviceConfig, FitConfig, Intervals
from mirprobe.pretraining.fit import fit
from mirprobe.pretraining.train_step import Trainer
from mirprobe.pretraining.training_run import BEST, LATEST, STATE, DivergedError
from mirprobe.vit1d.checkpoint import load_checkpoint, read_notes
from mirprobe.vit1d.model import CONFIGS, ViT1DConfig


def test_a_finished_run_has_nothing_left_to_do(tmp_path: Path) -> None:
    run(tmp_path)
    before = (tmp_path / STATE).read_bytes()
    again = run(tmp_path)
    assert (again.steps, again.loss) == (10, None)
    assert (tmp_path / STATE).read_bytes() == before


def test_how_often_it_saves_logs_and_validates_changes_nothing(tmp_path: Path) -> None:
    bank = make_bank(held_out=3, frames=960)
    for name, intervals in (
        ("one", Intervals(log_every=1, validate_every=3, save_every=2)),
        ("other", Intervals(0, 0, 0)),
    ):
        run(tmp_path / name, bank, intervals=intervals)
    assert same(tmp_path / "one" / STATE, tmp_path / "other" / STATE)
    assert not (tmp_path / "other" / BEST).exists()


def test_the_checkpoint_rebuilds_the_model_and_says_how_it_was_made(tmp_path: Path) -> None:
    run(tmp_path)
    model = load_checkpoint(tmp_path / LATEST, expected=TINY["vit1d"])
    assert next(model.parameters()).dtype == torch.float32
    notes = read_notes(tmp_path / LATEST)
    assert notes["step"] == "10"
    made = json.loads(notes["fit"])
    assert FitConfig(**{**made, "betas": (0.9, 0.98), "mask": (0.5, 0.75)}) == CONFIG
    with safe_open(tmp_path / LATEST, "pt") as file:
        assert {file.get_tensor(name).dtype for name in file.keys()} == {torch.float32}  # noqa: SIM118


def test_it_begins_with_the_weights_of_an_earlier_training(tmp_path: Path) -> None:
    bank, second = make_bank(frames=1000), tmp_path / "second"
    run(tmp_path / "first", bank, intervals=Intervals(validate_every=10))
    weights = tmp_path / "first" / LATEST
    still: dict[str, Any] = {"steps": 4, "lr": 1e-30, "final_lr": 0.0}
    run(second, bank, begin_with=weights, intervals=Intervals(validate_every=4), **still)
    assert same(weights, second / LATEST)
    found = [(row["step"], row["embedding"], row["mrr"]) for row in rows(second / "retrieval.csv")]
    first = rows(tmp_path / "first" / "retrieval.csv")
    assert found == [
        ("0", "logmel", first[0]["mrr"]),
        ("0", "random", first[1]["mrr"]),
        ("0", "model", first[2]["mrr"]),
        ("4", "model", first[2]["mrr"]),
    ]
    assert json.loads(read_notes(second / LATEST)["begun_with"]) == read_notes(weights)
    with pytest.raises(ConfigError, match="differs in begin_with"):
        run(second, bank, intervals=INTERVALS, **still)
    with pytest.raises(StorageError, match="another configuration"):
        run(tmp_path / "third", bank, model="vit1d-rope", begin_with=weights)


def test_training_beats_chance_and_its_controls_on_held_out_tracks(tmp_path: Path) -> None:
    bank = make_bank(train=64, held_out=8, frames=1000)
    done = run(
        tmp_path,
        bank,
        steps=150,
        batch=32,
        intervals=Intervals(log_every=25, validate_every=75, save_every=75),
    )
    losses = [float(row["loss"]) for row in rows(tmp_path / "training.csv")]
    assert losses[-1] < losses[0] - 1
    assert done.loss == losses[-1]
    found = done.retrieval
    assert found["model"].mrr > found["random"].mrr + 0.2
    assert found["model"].mrr > found["logmel"].mrr + 0.2
    logged = [(row["step"], row["embedding"]) for row in rows(tmp_path / "retrieval.csv")]
    assert logged == [("0", "logmel"), ("0", "random"), ("75", "model"), ("150", "model")]
    assert (
        json.loads(read_notes(tmp_path / BEST)["retrieval"])["model"]["mrr"] >= found["model"].mrr
    )
    assert any((tmp_path / "tensorboard").iterdir())


@pytest.mark.parametrize("save", [2, 100])
def test_a_nan_stops_says_where_and_keeps_what_was_good(
    tmp_path: Path, save: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Trainer.batch

    def spoilt(self: Trainer, step: int) -> tuple[Tensor, Any]:
        views, masks = original(self, step)
        return views * (torch.nan if step == 6 else 1), masks

    run(
        tmp_path / "good",
        intervals=Intervals(log_every=2, validate_every=0, save_every=2),
        steps=10,
    )
    monkeypatch.setattr(Trainer, "batch", spoilt)
    with pytest.raises(DivergedError) as error:
        run(tmp_path / "bad", intervals=Intervals(log_every=5, validate_every=0, save_every=save))
    kept = "what was saved after step 6 is kept: begin another folder at a lower rate"
    if save > 2:
        kept = "nothing was saved: lower the rate"
    assert f"the loss is not finite at step 7 of 10; {kept} (--lr)" in str(error.value)
    assert (tmp_path / "bad" / LATEST).exists() == (save == 2)
    if save == 2:
        assert all(
            p.isfinite().all() for p in load_checkpoint(tmp_path / "bad" / LATEST).parameters()
        )
        monkeypatch.undo()
        run(tmp_path / "bad", intervals=Intervals(log_every=5, validate_every=0, save_every=save))
        assert same(tmp_path / "good" / STATE, tmp_path / "bad" / STATE)


def test_a_weight_that_is_not_finite_is_never_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Trainer.step

    def spoiling(self: Trainer, step: int, seconds: float) -> dict[str, Tensor]:
        losses = original(self, step, seconds)
        if step == 7:  # as if the last gradient before the save had overflowed
            with torch.no_grad():
                self.model.class_token[0] = torch.inf
        return losses

    monkeypatch.setattr(Trainer, "step", spoiling)
    with pytest.raises(DivergedError, match=r"a weight is not finite after step 8 .* step 4"):
        run(tmp_path)
    assert read_notes(tmp_path / LATEST)["step"] == "4"
    bank, judged = make_bank(held_out=3, frames=960), tmp_path / "judged"
    with pytest.raises(DivergedError, match=r"a weight is not finite after step 8 .* step 4"):
        run(judged, bank, intervals=Intervals(log_every=8, validate_every=8, save_every=4))
    assert "8,model" not in (judged / "retrieval.csv").read_text()


def test_bf16_trains_and_keeps_weights_in_float32(tmp_path: Path) -> None:
    device_config = DeviceConfig(device="cpu", precision="bf16")
    done = fit(
        BANK,
        tmp_path,
        model=TINY["vit1d"],
        config=CONFIG,
        device_config=device_config,
        intervals=INTERVALS,
    )
    assert done.loss is not None
    assert {tensor.dtype for tensor in load_file(tmp_path / STATE).values()} == {torch.float32}


def test_two_processes_train_as_one_does(tmp_path: Path) -> None:
    script = HELPERS / "two_process_training.py"
    command = [sys.executable, str(script), str(tmp_path / "two"), "10"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    bank = make_bank(held_out=3, frames=960)
    run(tmp_path / "one", bank, intervals=replace(INTERVALS, validate_every=5), same_group=0.5)
    one, two = (load_file(tmp_path / name / LATEST) for name in ("one", "two"))
    for name, weights in one.items():
        torch.testing.assert_close(two[name], weights, atol=1e-4, rtol=1e-3)
    for kind in ("training", "retrieval"):  # one process alone writes
        alone, both = (rows(tmp_path / name / f"{kind}.csv") for name in ("one", "two"))
        assert [row["step"] for row in both] == [row["step"] for row in alone]
    losses = [
        [float(row["loss"]) for row in rows(tmp_path / n / "training.csv")] for n in ("one", "two")
    ]
    assert losses[1] == pytest.approx(losses[0], abs=1e-4)


def test_the_model_of_the_paper_is_the_default() -> None:
    assert CONFIGS["vit1d"] == ViT1DConfig()
    assert (FitConfig().batch, FitConfig().betas) == (128, (0.9, 0.98))
