"""One encoder's fault ends in one line that names it, and costs the others nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from helpers.misbehaviour import FAULTS, spoil
from helpers.small_encoders import Bands
from helpers.small_hf_models import save_model, transformers
from helpers.tones import Tones
from helpers.workbench import QUICK, Workbench

from mirprobe.evaluation.run_result import RunResult
from mirprobe.evaluation.runner import run
from mirprobe.probing import probes

FILE = """
import mirprobe
import torch
from helpers.misbehaviour import spoil


class Own:
    sample_rate, window, frame_rate, layers, dim = 16_000, 1.0, 20.0, ("only",), 1
    sources, calls = ("sequence",), 0

    def __init__(self, *, fault):
        self.fault = fault
        self.fingerprint = mirprobe.digest("own", fault)

    def __call__(self, audio):
        self.calls += 1
        loud = torch.nn.functional.pad(audio, (400, 400)).unfold(1, 800, 800).square().mean(-1)
        return mirprobe.Tokens(sequence=spoil(self.fault, self.calls, loud)[:, :, None, None])
"""
MODULE = """
import torch
from helpers.misbehaviour import spoil

CALLS = []


class Model(torch.nn.Module):
    sample_rate, timestamp_embedding_size, scene_embedding_size = 16_000, 1, 1


def load_model(path=""):
    return Model()


def get_timestamp_embeddings(audio, model):
    loud = torch.nn.functional.pad(audio, (400, 400)).unfold(1, 800, 800).square().mean(-1)
    times = torch.arange(loud.shape[1])[None].expand(len(audio), -1) * 50.0
    if audio.shape[1] == 16_000:  # what it is asked at its construction is longer
        CALLS.append(1)
        count = loud.shape[1]
        loud = spoil("FAULT", len(CALLS), loud)
        if "FAULT" in ("length", "rate"):
            times = spoil("FAULT", len(CALLS), times)
    return loud[:, :, None], times


def get_scene_embeddings(audio, model):
    return audio.square().mean(1, keepdim=True)
"""
NAN = "returned NaN or infinite values in its sequence"
CHANGED = "gave two embeddings of the same window"
FRAMES = "it declares frame_rate"
MESSAGES = {
    "file": {"length": FRAMES, "rate": FRAMES},
    "hear": {"length": "do not cover 1.000 s", "rate": "not evenly spaced"},
    "hf": {"length": FRAMES, "rate": FRAMES},
}
ALIKE = {"nan": NAN, "raises": "raised RuntimeError: weary of music", "changes": CHANGED}


def own_file(folder: Path, fault: str, monkeypatch: pytest.MonkeyPatch) -> str:
    (folder / "own.py").write_text(FILE)
    return f"{folder / 'own.py'}:Own:fault={fault}"


def hear_module(folder: Path, fault: str, monkeypatch: pytest.MonkeyPatch) -> str:
    (folder / f"weary_{fault}.py").write_text(MODULE.replace("FAULT", fault))
    monkeypatch.syspath_prepend(folder)
    return f"hear:weary_{fault},window=1"


def hf_model(folder: Path, fault: str, monkeypatch: pytest.MonkeyPatch) -> str:
    right = transformers.HubertModel.forward
    calls: list[int] = []

    def forward(self: Any, *args: Any, **options: Any) -> Any:
        found = right(self, *args, **options)
        calls.append(1)
        states = [spoil(fault, len(calls), state) for state in found.hidden_states]
        found["hidden_states"] = tuple(states)
        return found

    monkeypatch.setattr(transformers.HubertModel, "forward", forward)
    return f"hf:{save_model('hubert', folder)},window=1"


ADAPTERS = {"file": own_file, "hear": hear_module, "hf": hf_model}
Adapter = Callable[[Path, str, pytest.MonkeyPatch], str]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(probes.PRESETS, "standard", QUICK)


@pytest.fixture(scope="module")
def alone(tones: Tones, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """What the other encoder scores without bad company."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(probes.PRESETS, "standard", QUICK)
        bench = Workbench(tmp_path_factory.mktemp("alone"), tones)
        return bench.run(Bands(), tasks=("key", "chord")).scores


def beside(spec: str, root: Path, tones: Tones) -> RunResult:
    config = Workbench(root, tones).config(spec, "Bands", tasks=["key", "chord"])
    return run(config, encoders={"Bands": Bands()}, dataset=tones)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("adapter", ADAPTERS)
def test_a_fault_is_named_and_the_other_encoder_is_scored(
    adapter: str,
    fault: str,
    tones: Tones,
    tmp_path: Path,
    alone: pd.DataFrame,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spec = ADAPTERS[adapter](tmp_path, fault, monkeypatch)
    result = beside(spec, tmp_path, tones)
    (failed,) = result.failures.items()
    assert failed[0] == spec
    assert failed[1].startswith(f"encoder '{spec}' ")
    assert {**ALIKE, **MESSAGES[adapter]}[fault] in failed[1]
    assert "\n" not in failed[1]
    columns = ["task", "kind", "layer", "source", "metric", "value", "low", "high", "validation"]
    pd.testing.assert_frame_equal(result.scores[columns], alone[columns])
