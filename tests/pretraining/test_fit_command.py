from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from helpers.small_training import BANK, TINY
from safetensors.torch import load_file
from typer.testing import CliRunner, Result

from mirprobe.cli.pretrain import pretrain_app
from mirprobe.pretraining.bank import Bank
from mirprobe.pretraining.training_run import LATEST
from mirprobe.vit1d.checkpoint import load_checkpoint, read_notes


@pytest.fixture
def tiny_command(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """`mirprobe pretrain fit` on a small bank, with small models."""
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
    asked = {"objective": "cojepa", "lr": 1e-3, "max_gap": "inf", "same_group": 0.25}
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
    assert failed.output.startswith("error: bank: 8 works to train on beside 4 tracks")
    assert failed.output.count("\n") == 1
    missing = CliRunner().invoke(pretrain_app, ["export", f"{tmp_path / 'no'}", "-o", "x"])
    assert missing.exit_code == 2
