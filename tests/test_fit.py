from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor
from typer.testing import CliRunner, Result

from mirprobe.cli.pretrain import pretrain_app
from mirprobe.errors import ConfigError, MirprobeError, StorageError
from mirprobe.vit1d.bank import Bank, BankTrack, QuantisationError
from mirprobe.vit1d.checkpoint import load_checkpoint, read_notes
from mirprobe.vit1d.fabric import Machine, make_fabric
from mirprobe.vit1d.fit import BEST, LATEST, STATE, DivergedError, Fitted, Pace, fit
from mirprobe.vit1d.frontend import LogMelConfig
from mirprobe.vit1d.held_out import HeldOut
from mirprobe.vit1d.model import CONFIGS, ViT1DConfig
from mirprobe.vit1d.quantise import Quantiser
from mirprobe.vit1d.trainer import FitConfig, Trainer

BINS, TIME = 16, 12
FRONTEND = LogMelConfig(bins=BINS)
CPU = Machine(device="cpu")
PACE = Pace(log=2, validate=0, save=4)
TINY = {
    name: replace(config, frontend=FRONTEND, frames=TIME, dim=24, depth=2, heads=2)
    for name, config in CONFIGS.items()
}
CONFIG = FitConfig(steps=10, batch=4, rate=3e-3, warmup=0.2, predictor_depth=1, seed=5)


def make_bank(train: int = 8, held_out: int = 4, frames: int = 60) -> Bank:
    """Tracks that differ in the lower bands a little, and change much in the upper ones.

    To find a track again, one has to learn not to listen to the upper half.
    """
    rng = np.random.default_rng(0)
    rows, tracks = [], []
    for number in range(train + held_out):
        own = np.repeat(rng.standard_normal((1, BINS // 2)), frames, axis=0)
        drift = np.repeat(rng.standard_normal((frames // 20 + 1, BINS // 2)), 20, axis=0)[:frames]
        noise = 0.2 * rng.standard_normal((frames, BINS))
        rows.append(np.concatenate((0.5 * own, 2 * drift), axis=1) + noise)
        tracks.append(
            BankTrack(
                id=f"{number}",
                source="",
                group="ab"[number % 2],
                start=number * frames,
                frames=frames,
                split="train" if number < train else "held-out",
                work=f"{number}",
                duration=0.0,
                key="",
                digest=f"{number}",
            )
        )
    quantiser = Quantiser("uint8", -8.0, 16 / 255)
    return Bank(
        path=Path("bank"),
        config=FRONTEND,
        tracks=tuple(tracks),
        frames=quantiser.quantise(np.concatenate(rows).astype(np.float32)),
        quantiser=quantiser,
        error=QuantisationError(0.0, 0.0),
        held_out=HeldOut(),
        skipped=(),
    )


BANK = make_bank()


def run(
    folder: Path,
    bank: Bank = BANK,
    model: str = "vit1d",
    begin_with: Path | None = None,
    pace: Pace = PACE,
    **options: Any,
) -> Fitted:
    config = replace(CONFIG, **options)
    return fit(
        bank,
        folder,
        model=TINY[model],
        config=config,
        begin_with=begin_with,
        machine=CPU,
        pace=pace,
    )


def rows(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def same(first: Path, second: Path) -> bool:
    one, other = load_file(first), load_file(second)
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture
def killed_after(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Makes training stop in its nth step, in the middle of it: gradients are there already."""

    def plan(last: int) -> None:
        original = Trainer._set

        def interrupted(self: Trainer, **options: float) -> None:
            count.append(1)
            if len(count) > last:
                raise KeyboardInterrupt
            original(self, **options)

        count: list[int] = []
        monkeypatch.setattr(Trainer, "_set", interrupted)

    return plan


@pytest.mark.parametrize(("objective", "model"), [("ntxent", "vit1d"), ("cojepa", "vit1d-rope")])
def test_a_killed_run_ends_with_the_weights_of_one_never_killed(
    tmp_path: Path,
    objective: str,
    model: str,
    killed_after: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    options: dict[str, Any] = {"objective": objective, "same_group": 0.5}
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


def test_a_finished_run_has_nothing_left_to_do(tmp_path: Path) -> None:
    run(tmp_path)
    before = (tmp_path / STATE).read_bytes()
    again = run(tmp_path)
    assert (again.steps, again.loss) == (10, None)
    assert (tmp_path / STATE).read_bytes() == before


def test_how_often_it_saves_logs_and_validates_changes_nothing(tmp_path: Path) -> None:
    bank = make_bank(held_out=3, frames=960)
    for name, pace in (("one", Pace(log=1, validate=3, save=2)), ("other", Pace(0, 0, 0))):
        run(tmp_path / name, bank, pace=pace)
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
    run(tmp_path / "first", bank, pace=Pace(validate=10))
    weights = tmp_path / "first" / LATEST
    still: dict[str, Any] = {"steps": 4, "rate": 1e-30, "final_rate": 0.0}
    run(second, bank, begin_with=weights, pace=Pace(validate=4), **still)
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
        run(second, bank, pace=PACE, **still)
    with pytest.raises(StorageError, match="another configuration"):
        run(tmp_path / "third", bank, model="vit1d-rope", begin_with=weights)


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


def test_training_beats_chance_and_its_controls_on_held_out_tracks(tmp_path: Path) -> None:
    bank = make_bank(train=64, held_out=8, frames=1000)
    done = run(
        tmp_path,
        bank,
        steps=150,
        batch=32,
        pace=Pace(log=25, validate=75, save=75),
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

    run(tmp_path / "good", pace=Pace(log=2, validate=0, save=2), steps=10)
    monkeypatch.setattr(Trainer, "batch", spoilt)
    with pytest.raises(DivergedError) as error:
        run(tmp_path / "bad", pace=Pace(log=5, validate=0, save=save))
    kept = "what was saved after step 6 is kept" if save == 2 else "nothing was saved"
    assert f"the loss is not finite at step 7 of 10; {kept}" in str(error.value)
    assert (tmp_path / "bad" / LATEST).exists() == (save == 2)
    if save == 2:
        assert all(
            p.isfinite().all() for p in load_checkpoint(tmp_path / "bad" / LATEST).parameters()
        )
        monkeypatch.undo()
        run(tmp_path / "bad", pace=Pace(log=5, validate=0, save=save))
        assert same(tmp_path / "good" / STATE, tmp_path / "bad" / STATE)


def test_a_weight_that_is_not_finite_is_never_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Trainer.step

    def spoiling(self: Trainer, step: int) -> dict[str, Tensor]:
        losses = original(self, step)
        if step == 7:  # as if the last gradient before the save had overflowed
            with torch.no_grad():
                self.model.class_token[0] = torch.inf
        return losses

    monkeypatch.setattr(Trainer, "step", spoiling)
    with pytest.raises(DivergedError, match=r"a weight is not finite after step 8 .* step 4"):
        run(tmp_path)
    assert read_notes(tmp_path / LATEST)["step"] == "4"


def one_line(error: pytest.ExceptionInfo[MirprobeError]) -> str:
    text = str(error.value)
    assert text
    assert "\n" not in text
    return text


def test_a_bank_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^8 of 8 training tracks .* a batch needs 9: lower"):
        run(tmp_path, batch=9)
    with pytest.raises(ConfigError, match=r"^0 of 8 training tracks have room for two segments"):
        run(tmp_path, make_bank(frames=22))
    with pytest.raises(ConfigError, match=r"room for two segments of 12 frames at least 62 frames"):
        run(tmp_path, min_gap=2)
    with pytest.raises(ConfigError, match="gaps of 31 to 16 frames"):
        run(tmp_path, min_gap=1, max_gap=0.5)
    with pytest.raises(ConfigError, match=r"^0 held-out works of 30 s or longer"):
        run(tmp_path, pace=Pace())
    other = replace(TINY["vit1d"], frontend=replace(FRONTEND, n_fft=1024))
    with pytest.raises(ConfigError, match="a bank of another front end"):
        fit(BANK, tmp_path, model=other, config=CONFIG, machine=CPU, pace=PACE)
    assert not list(tmp_path.iterdir())


def test_another_training_in_the_folder_is_refused(tmp_path: Path) -> None:
    run(tmp_path)
    before = (tmp_path / STATE).read_bytes()
    with pytest.raises(ConfigError) as error:
        run(tmp_path, steps=11, rate=1e-3)
    assert "differs in steps, rate): give the same options" in one_line(error)
    with pytest.raises(ConfigError, match=r"differs in model\.positions, model\.norm, model\.mlp"):
        run(tmp_path, model="vit1d-rope")
    with pytest.raises(ConfigError, match="differs in bank"):
        run(tmp_path, make_bank(train=9))
    assert (tmp_path / STATE).read_bytes() == before
    (tmp_path / STATE).unlink()
    with pytest.raises(ConfigError, match="holds weights, but no state"):
        run(tmp_path)


def test_a_damaged_state_is_refused(tmp_path: Path) -> None:
    run(tmp_path)
    whole = (tmp_path / STATE).read_bytes()
    for broken in (whole[:-10], b"not safetensors at all", b""):
        (tmp_path / STATE).write_bytes(broken)
        with pytest.raises(StorageError, match=r"state\.safetensors: damaged") as error:
            run(tmp_path)
        one_line(error)
    (tmp_path / STATE).write_bytes((tmp_path / LATEST).read_bytes())
    with pytest.raises(StorageError, match="not of format"):
        run(tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"objective": "byol"}, "objective='byol': choose from ntxent, cojepa"),
        ({"steps": 0}, "steps=0: must be more than 0"),
        ({"temperature": -1.0}, r"temperature=-1\.0: must be more than 0"),
        ({"rate": float("nan")}, "rate=nan"),
        ({"warmup": 1.0}, r"warmup=1\.0"),
        ({"mask": (0.75, 0.5)}, "two rising shares"),
    ],
)
def test_impossible_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        replace(CONFIG, **options)


def test_a_machine_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="device 'cuda' is not there"):
        fit(BANK, "x", model=TINY["vit1d"], config=CONFIG, machine=Machine("cuda"), pace=PACE)
    with pytest.raises(ConfigError, match="precision='fp8': choose from auto, 32, bf16"):
        Machine(precision="fp8")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="0 devices on 1 nodes"):
        Machine(devices=0)


@pytest.mark.parametrize("module", ["lightning_fabric", "tensorboard"])
def test_a_missing_extra_is_named(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigError, match=rf"{module}.*pip install 'mirprobe\[pretrain\]'"):
        fit(BANK, "x", model=TINY["vit1d"], config=CONFIG, machine=CPU, pace=PACE)


def test_bf16_trains_and_keeps_weights_in_float32(tmp_path: Path) -> None:
    machine = Machine(device="cpu", precision="bf16")
    done = fit(BANK, tmp_path, model=TINY["vit1d"], config=CONFIG, machine=machine, pace=PACE)
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
        torch.testing.assert_close(fused[1][name], weights, rtol=0, atol=CONFIG.rate / 10)


def test_compiling_wants_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    machine = replace(CPU, compile=True)
    with pytest.raises(ConfigError, match="compiling needs a C\\+\\+ compiler"):
        fit(BANK, "x", model=TINY["vit1d"], config=CONFIG, machine=machine, pace=PACE)


def test_off_a_terminal_it_is_quiet(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run(tmp_path)
    assert capfd.readouterr() == ("", "")


@pytest.fixture
def tiny_command(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """`mirprobe pretrain fit` on the bank above, with small models."""
    monkeypatch.setattr("mirprobe.vit1d.model.CONFIGS", TINY)
    monkeypatch.setattr(Bank, "open", lambda path, expected: BANK)
    fixed = ["--device", "cpu", "--validate-every", "0", "--log-every", "2", "--save-every", "2"]

    def invoke(*words: str) -> Result:
        return CliRunner().invoke(pretrain_app, ["fit", "bank", *fixed, *words])

    return invoke


def test_the_command_trains_goes_on_and_exports(
    tmp_path: Path, tiny_command: Callable[..., Result]
) -> None:
    words = ["-o", f"{tmp_path}", "--objective", "cojepa", "--config", "vit1d-rope", "--steps", "3"]
    words += ["--batch", "4", "--lr", "1e-3", "--temperature", "0.2", "--seed", "9"]
    words += ["--min-gap", "0.1", "--max-gap", "inf", "--same-group", "0.25"]
    first = tiny_command(*words)
    assert first.exit_code == 0, first.output
    assert first.output.startswith(f"{tmp_path}: 3 steps, loss ")
    assert tiny_command(*words).output == f"{tmp_path}: 3 steps\n"
    made = json.loads(read_notes(tmp_path / LATEST)["fit"])
    asked = {"objective": "cojepa", "rate": 1e-3, "max_gap": float("inf"), "same_group": 0.25}
    assert asked.items() <= made.items()

    out = tmp_path / "shipped.safetensors"
    exported = CliRunner().invoke(pretrain_app, ["export", f"{tmp_path / LATEST}", "-o", f"{out}"])
    assert exported.exit_code == 0, exported.output
    assert {tensor.dtype for tensor in load_file(out).values()} == {torch.float16}
    assert load_checkpoint(out).config == TINY["vit1d-rope"]
    assert read_notes(out) == read_notes(tmp_path / LATEST)


def test_the_command_ends_on_one_line(tmp_path: Path, tiny_command: Callable[..., Result]) -> None:
    failed = tiny_command("-o", f"{tmp_path}", "--batch", "99")
    assert failed.exit_code == 2
    assert failed.output.startswith("error: 8 of 8 training tracks have room")
    assert failed.output.count("\n") == 1
    missing = CliRunner().invoke(pretrain_app, ["export", f"{tmp_path / 'no'}", "-o", "x"])
    assert missing.exit_code == 2


@dataclass
class Rank:
    """What a trainer asks of Fabric where two processes share a batch."""

    global_rank: int
    world_size: int = 2
    device: str = "cpu"

    def setup(self, *parts: Any) -> tuple[Any, ...]:
        return parts


def test_processes_share_a_batch_without_overlap() -> None:
    config = replace(CONFIG, objective="cojepa")
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
    with pytest.raises(ConfigError, match="batch=5 on 2 devices: give a multiple"):
        Trainer(BANK, TINY["vit1d"], replace(CONFIG, batch=5), cast(Any, Rank(0)))


def test_the_model_of_the_paper_is_the_default() -> None:
    assert CONFIGS["vit1d"] == ViT1DConfig()
    assert (FitConfig().batch, FitConfig().betas) == (128, (0.9, 0.98))
