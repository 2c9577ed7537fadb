from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from helpers.paths import HELPERS
from helpers.small_training import (
    BANK,
    BINS,
    CONFIG,
    CPU,
    INTERVALS,
    TIME,
    TINY,
    environment,
    make_bank,
    rows,
    run,
    same,
)
from safetensors import safe_open
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor

from mirprobe.core.errors import ConfigError, StorageError
from mirprobe.pretraining.config import DeviceConfig, FitConfig, Intervals
from mirprobe.pretraining.fit import fit
from mirprobe.pretraining.launch import make_fabric
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


# torch's own compiler trips over it
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
@pytest.mark.parametrize("objective", ["ntxent", "cojepa"])
def test_compiled_blocks_train_alike(objective: Any) -> None:
    config = replace(CONFIG, objective=objective)

    def trained(*, compiled: bool) -> tuple[list[float], dict[str, Tensor]]:
        trainer = Trainer(BANK, TINY["vit1d-rope"], config, make_fabric(CPU))
        if compiled:
            trainer.compile()
        losses = [float(trainer.step(step)["loss"]) for step in range(3)]
        return losses, trainer.objective.state_dict()

    plain, fused = trained(compiled=False), trained(compiled=True)
    assert fused[0] == pytest.approx(plain[0], rel=1e-4)
    assert fused[1].keys() == plain[1].keys()  # a state saved by the one can be loaded by the other
    for name, weights in plain[1].items():
        torch.testing.assert_close(fused[1][name], weights, rtol=0, atol=CONFIG.lr / 10)


def test_tensorboard_has_the_figures_of_the_csv_files(tmp_path: Path) -> None:
    run(tmp_path, make_bank(held_out=3, frames=960), intervals=replace(INTERVALS, validate_every=5))
    board = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    shown = {tag: [(one.step, one.value) for one in board.Scalars(tag)] for tag in _scalars(board)}
    logged: dict[str, list[tuple[int, float]]] = {}
    for kind in ("training", "retrieval"):
        for row in rows(tmp_path / f"{kind}.csv"):
            step, words = int(row.pop("step")), [row.pop("embedding", "")]
            for name, value in row.items():
                tag = "/".join(filter(None, (kind, *words, name)))
                logged.setdefault(tag, []).append((step, float(value)))
    assert {"training/loss", "training/rate", "retrieval/model/mrr"} <= logged.keys()
    assert shown.keys() == logged.keys()
    for tag, points in logged.items():
        assert shown[tag] == [(step, pytest.approx(value, rel=1e-6)) for step, value in points]


def _scalars(board: EventAccumulator) -> list[str]:
    tags = board.Tags()["scalars"]
    assert isinstance(tags, list)
    return tags


class Terminal(StringIO):
    """What is written to it, and that somebody looks."""

    def isatty(self) -> bool:
        return True


def test_on_a_terminal_a_bar_shows_steps_loss_and_speed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    done = run(tmp_path)
    last = terminal.getvalue().split("\r")[-1]
    assert "training: 100%" in last
    assert "10/10" in last
    assert f"loss={done.loss:.3f}, segments_per_s=" in last


def test_off_a_terminal_it_is_quiet(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run(tmp_path)
    assert capfd.readouterr() == ("", "")


@dataclass
class Rank:
    """What a trainer asks of Fabric where two processes share a batch."""

    global_rank: int
    world_size: int = 2
    device: str = "cpu"

    def setup(self, *parts: Any) -> tuple[Any, ...]:
        return parts


@pytest.mark.parametrize(
    "options", [{"objective": "cojepa"}, {"hide": 0.3, "variants": 2, "same_group": 0.5}]
)
def test_processes_share_a_batch_without_overlap(options: dict[str, Any]) -> None:
    config = replace(CONFIG, **options)
    trainers = [
        Trainer(BANK, TINY["vit1d"], config, cast(Any, rank))
        for rank in (Rank(0), Rank(1), Rank(0, world_size=1))
    ]
    for step in range(3):
        (first, masks), (second, others), (whole, all_masks) = (t.batch(step) for t in trainers)
        assert first.shape == (2, 2, TIME, BINS)
        assert torch.equal(torch.cat((first, second), dim=1), whole)
        assert masks is not None
        assert others is not None
        assert all_masks is not None
        for one, other, both in zip(masks, others, all_masks, strict=True):
            assert torch.equal(torch.cat((one, other), dim=1), both)


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


@pytest.mark.parametrize("name", TINY)
def test_matrices_alone_decay_by_the_schedule(name: str) -> None:
    config = replace(CONFIG, clip=1e-20, decay=0.5)  # gradients too small to move a weight
    trainer = Trainer(BANK, TINY[name], config, make_fabric(CPU))
    before = {name: weights.clone() for name, weights in trainer.model.named_parameters()}
    told = trainer.schedule(0)
    trainer.step(0)
    decayed = set()
    for place, weights in trainer.model.named_parameters():
        if torch.allclose(weights, before[place], rtol=0, atol=1e-9):
            continue
        torch.testing.assert_close(weights, before[place] * (1 - told["rate"] * told["decay"]))
        decayed.add(place)
    kept = before.keys() - decayed
    assert {place.rpartition(".")[2] for place in decayed} == {"weight"}
    assert all(before[place].ndim == 2 for place in decayed)
    assert "class_token" in kept
    assert all("norm" in place or place.endswith(("bias", "positions", "token")) for place in kept)


@pytest.mark.parametrize("clip", [0.01, 100.0])
def test_gradients_are_clipped(clip: float) -> None:
    trainer = Trainer(BANK, TINY["vit1d"], replace(CONFIG, clip=clip), make_fabric(CPU))
    seen: list[Tensor] = []

    def look(*_: object) -> None:
        gradients = [p.grad.flatten() for p in trainer.objective.parameters() if p.grad is not None]
        seen.append(torch.cat(gradients).norm())

    trainer.optimiser.register_step_pre_hook(look)
    norm = float(trainer.step(0)["gradient"])
    assert float(seen[0]) == pytest.approx(min(norm, clip), rel=1e-3)
    assert 0.01 < norm < 100


def test_the_model_of_the_paper_is_the_default() -> None:
    assert CONFIGS["vit1d"] == ViT1DConfig()
    assert (FitConfig().batch, FitConfig().betas) == (128, (0.9, 0.98))
