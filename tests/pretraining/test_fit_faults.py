from __future__ import annotations

import errno
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.small_training import (
    BANK,
    CONFIG,
    CPU,
    FRONTEND,
    INTERVALS,
    TINY,
    make_bank,
    run,
    same,
)
from safetensors.torch import save_file
from tensorboard.summary.writer.record_writer import RecordWriter

from mirprobe.core.errors import ConfigError, MirprobeError, StorageError
from mirprobe.pretraining.config import DeviceConfig, Intervals
from mirprobe.pretraining.fit import fit
from mirprobe.pretraining.training_run import LATEST, STATE
from mirprobe.vit1d.checkpoint import read_notes, save_checkpoint
from mirprobe.vit1d.model import ViT1D


def one_line(error: pytest.ExceptionInfo[MirprobeError]) -> str:
    text = str(error.value)
    assert text
    assert "\n" not in text
    return text


def test_a_bank_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"bank: 8 works .* 4 tracks held out, .* 9: add"):
        run(tmp_path, batch=9)
    with pytest.raises(ConfigError, match="batch=4 on 3 devices: give a multiple"):
        fit(
            BANK,
            tmp_path,
            model=TINY["vit1d"],
            config=CONFIG,
            device_config=DeviceConfig("cpu", devices=3),
        )
    with pytest.raises(ConfigError, match=r"^0 of 8 works to train on have room for two segments"):
        run(tmp_path, make_bank(frames=22))
    with pytest.raises(ConfigError, match=r"two segments of 0.384 s with 2 s between,"):
        run(tmp_path, min_gap=2)
    for options in ({"hide": 0.99}, {"objective": "cojepa", "mask": (0.5, 0.99)}):
        with pytest.raises(ConfigError, match=r"^hide=0\.99: nothing is left of .* 12 frames"):
            run(tmp_path, **options)
    with pytest.raises(ConfigError, match=r"^0 held-out works of 31 s or longer"):
        run(tmp_path, intervals=Intervals())
    other = replace(TINY["vit1d"], frontend=replace(FRONTEND, n_fft=1024))
    with pytest.raises(ConfigError, match="a bank of another front end"):
        fit(BANK, tmp_path, model=other, config=CONFIG, device_config=CPU, intervals=INTERVALS)
    assert not list(tmp_path.iterdir())


def test_another_training_in_the_folder_is_refused(tmp_path: Path) -> None:
    run(tmp_path)
    before = (tmp_path / STATE).read_bytes()
    with pytest.raises(ConfigError) as error:
        run(tmp_path, steps=11, lr=1e-3)
    assert "differs in steps, lr): give the same options" in one_line(error)
    with pytest.raises(ConfigError, match=r"differs in model\.positions, model\.norm, model\.mlp"):
        run(tmp_path, model="vit1d-rope")
    with pytest.raises(ConfigError, match="differs in bank"):
        run(tmp_path, make_bank(train=9))
    assert (tmp_path / STATE).read_bytes() == before
    (tmp_path / STATE).unlink()
    with pytest.raises(ConfigError, match="holds weights, but no state"):
        run(tmp_path)


def test_tables_of_others_stay_and_a_new_training_sets_old_logs_aside(tmp_path: Path) -> None:
    others = {"diet.csv": "step,weight\n1,80\n", "notes.csv": "no step\n1\n"}
    for name, text in {**others, "training.csv": "step,loss\n5,1.0\n"}.items():
        (tmp_path / name).write_text(text)
    run(tmp_path)
    assert {name: (tmp_path / name).read_text() for name in others} == others
    assert (tmp_path / "training.old.csv").read_text() == "step,loss\n5,1.0\n"


def test_a_log_that_cannot_be_read_is_named_and_an_empty_one_begun_again(tmp_path: Path) -> None:
    run(tmp_path)
    log = tmp_path / "training.csv"
    for broken in (b"step\n\xff\xfe\n", b"loss\n1.0\n", b"step\nx\n"):
        log.write_bytes(broken)
        with pytest.raises(
            StorageError, match=r"training\.csv: not the log of a training"
        ) as error:
            run(tmp_path)
        one_line(error)
    log.write_bytes(b"")
    run(tmp_path)
    assert not log.exists()  # nothing was left to do


def test_a_disk_that_fills_while_logging_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def full(*args: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(RecordWriter, "write", full)
    with pytest.raises(StorageError, match=r"cannot be written \(No space .* free space") as error:
        run(tmp_path)
    one_line(error)
    time.sleep(0.1)  # for the thread that writes
    assert capfd.readouterr() == ("", "")
    monkeypatch.undo()
    assert run(tmp_path).steps == 10


@pytest.mark.parametrize("stale", [False, True])
def test_weights_that_are_not_those_of_the_state_are_written_again(
    tmp_path: Path, stale: bool
) -> None:
    """The disk was full, or the process killed, between the two files of a save."""
    run(tmp_path)
    latest = tmp_path / LATEST
    notes = read_notes(latest)
    latest.rename(tmp_path / "whole.safetensors")
    if stale:
        save_checkpoint(ViT1D(TINY["vit1d"]), latest, notes={**notes, "step": "4"})
    assert run(tmp_path).loss is None
    assert same(latest, tmp_path / "whole.safetensors")
    assert read_notes(latest) == notes


def test_weights_that_are_not_finite_are_no_beginning(tmp_path: Path) -> None:
    weights = {name: tensor.clone() for name, tensor in ViT1D(TINY["vit1d"]).state_dict().items()}
    weights["norm.weight"][0] = torch.nan
    config = json.dumps(TINY["vit1d"].as_dict())
    metadata = {"format": "mirprobe.vit1d.1", "config": config}
    save_file(weights, tmp_path / "nan.safetensors", metadata=metadata)
    with pytest.raises(StorageError, match=r"nan\.safetensors: norm\.weight is not") as error:
        run(tmp_path, begin_with=tmp_path / "nan.safetensors")
    one_line(error)


def test_a_damaged_state_is_refused(tmp_path: Path) -> None:
    run(tmp_path)
    whole = (tmp_path / STATE).read_bytes()
    for broken in (whole[:-10], b"not safetensors at all", b""):
        (tmp_path / STATE).write_bytes(broken)
        with pytest.raises(StorageError, match=r"state\.safetensors: damaged") as error:
            run(tmp_path)
        one_line(error)
    run(tmp_path / "another", begin_with=tmp_path / LATEST)  # the remedy that it names
    (tmp_path / STATE).write_bytes((tmp_path / LATEST).read_bytes())
    with pytest.raises(StorageError, match="not of format"):
        run(tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"objective": "byol"}, "objective='byol': choose from ntxent, cojepa"),
        ({"steps": 0}, "steps=0: a number above 0"),
        ({"temperature": -1.0}, r"temperature=-1\.0: a number above 0"),
        ({"temperature": float("inf")}, "temperature=inf: a number above 0"),
        ({"lr": float("nan")}, "lr=nan: a number above 0"),
        ({"seed": -1}, "seed=-1: a whole number from 0"),
        ({"seed": 10**30}, "seed=1000.*: a whole number from 0"),
        ({"variants": 2}, r"variants=2 with same_group=0\.0: .* give same_group a share above 0"),
        ({"warmup": 1.0}, r"warmup=1\.0"),
        ({"batch": 1}, "batch=1: one pair has no negatives"),
        ({"min_gap": 1, "max_gap": 0.5}, r"min_gap=1, max_gap=0\.5: the first is a number"),
        ({"min_gap": float("inf"), "max_gap": float("inf")}, "min_gap=inf"),
        ({"max_gap": float("nan")}, "max_gap=nan"),
        ({"mask": (0.75, 0.5)}, "two rising shares"),
        ({"hide": 1.0}, r"hide=1\.0: a share of the frames lies from 0 to below 1"),
        ({"hide": 0.5, "objective": "cojepa"}, r"hide=0\.5: CoJEPA hides its own frames"),
    ],
)
def test_impossible_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        replace(CONFIG, **options)


def test_a_machine_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="device 'cuda' is not there"):
        fit(
            BANK,
            "x",
            model=TINY["vit1d"],
            config=CONFIG,
            device_config=DeviceConfig("cuda"),
            intervals=INTERVALS,
        )
    with pytest.raises(ConfigError, match="precision='fp8': choose from auto, 32, bf16"):
        DeviceConfig(precision="fp8")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="0 devices on 1 nodes"):
        DeviceConfig(devices=0)


@pytest.mark.parametrize("module", ["lightning_fabric", "tensorboard"])
def test_a_missing_extra_is_named(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigError, match=rf"{module}.*pip install 'mirprobe\[pretrain\]'"):
        fit(BANK, "x", model=TINY["vit1d"], config=CONFIG, device_config=CPU, intervals=INTERVALS)


def test_compiling_wants_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    device_config = replace(CPU, compile=True)
    with pytest.raises(ConfigError, match="compiling needs a C\\+\\+ compiler"):
        fit(
            BANK,
            "x",
            model=TINY["vit1d"],
            config=CONFIG,
            device_config=device_config,
            intervals=INTERVALS,
        )
