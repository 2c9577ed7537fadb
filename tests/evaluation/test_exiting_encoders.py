"""Plug-ins that exit, panic or fail: nothing else is lost."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.small_encoders import Bands
from helpers.tones import Tones
from helpers.workbench import Workbench
from torch import Tensor

from mirprobe.api.dataset import Dataset
from mirprobe.api.registry import TASKS
from mirprobe.core.errors import ConfigError, PluginError
from mirprobe.core.schema import Tokens
from mirprobe.encoders.specs import checked_encoder
from mirprobe.evaluation.extract import extract
from mirprobe.evaluation.runner import run
from mirprobe.evaluation.setup import make_task
from mirprobe_tasks.key import Key


class Exiting(Bands):
    def __call__(self, audio: Tensor) -> Tokens:
        sys.exit(0)


class Leaving(Bands):
    """Ends its process, after a child of its own has ended so."""

    def __call__(self, audio: Tensor) -> Tokens:
        child = os.fork()
        if not child:
            os._exit(3)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
        os._exit(0)


class Panicking(Bands):
    def __call__(self, audio: Tensor) -> Tokens:
        raise BaseException("panic")  # as pyo3's PanicException


def test_an_encoder_that_panics_costs_only_itself(tones: Tones, tmp_path: Path) -> None:
    result = Workbench(tmp_path, tones).run(Panicking(), Bands())
    (message,) = result.failures.values()
    assert message.startswith("encoder 'Panicking' raised BaseException: panic (windows of")
    assert set(result.scores["encoder"]) == {"Bands"}


class Frail(Bands):
    """Raises an error when an attribute is read after the run has begun."""

    def __getattribute__(self, name: str) -> Any:
        calls = object.__getattribute__(self, "__dict__").get("calls", 0)
        if calls and name in ("frame_rate", "fingerprint", "sources", "layers", "dim"):
            raise RuntimeError(name)
        return object.__getattribute__(self, name)


@pytest.mark.parametrize("encoder", [Exiting, Leaving])
def test_an_encoder_that_exits_costs_only_itself(
    encoder: type[Bands], tones: Tones, tmp_path: Path
) -> None:
    before = os._exit
    result = Workbench(tmp_path, tones).run(encoder(), Frail(), Bands())
    (failure,) = result.failures.items()
    assert failure[0] == encoder.__name__
    assert failure[1].startswith(f"encoder '{failure[0]}' raised SystemExit: 0 (windows of shape")
    assert set(result.scores["encoder"]) == {"Frail", "Bands"}
    assert os._exit is before


@pytest.mark.parametrize("attribute", ["dim", "info", "built", "imported", "panics"])
def test_an_encoder_that_fails_at_the_start_costs_only_itself(
    attribute: str, tones: Tones, tmp_path: Path
) -> None:
    lines = {
        "built": "def __init__(self):\n        raise RuntimeError('weary')",
        "imported": "1 / 0",
        "panics": "raise BaseException('weary')",
    }
    fails = f"@property\n    def {attribute}(self):\n        raise RuntimeError('weary')"
    body = lines.get(attribute, fails)
    (tmp_path / "weary.py").write_text(
        f"from helpers.small_encoders import Bands\n\nclass Weary(Bands):\n    {body}\n"
    )
    spec = f"{tmp_path}/weary.py:Weary"
    config = Workbench(tmp_path, tones).config(spec, "Bands")
    result = run(config, encoders={"Bands": Bands()}, dataset=tones)
    done = extract(config, encoders={"Bands": Bands()}, dataset=tones)
    assert result.failures == done.failures
    (failure,) = result.failures.items()
    assert failure[0] == spec
    assert ("ZeroDivisionError" if attribute == "imported" else "weary") in failure[1]
    assert set(result.scores["encoder"]) == {"Bands"}
    with pytest.raises(PluginError):
        run(replace(config, encoders=(spec,)), dataset=tones)


def test_an_encoder_that_exits_when_it_is_built(tmp_path: Path) -> None:
    (tmp_path / "exits.py").write_text("import sys\n\ndef own():\n    sys.exit(0)\n")
    with pytest.raises(
        ConfigError, match=r"cannot be built \(SystemExit: 0 at exits.py line 4\); check"
    ):
        checked_encoder(f"{tmp_path}/exits.py:own")


def test_a_task_that_empties_the_search_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Own(Key):
        def __init__(self, dataset: Dataset) -> None:
            super().__init__(dataset)
            sys.path.clear()

    before = list(sys.path)
    monkeypatch.setitem(TASKS._factories, "own", Own)
    make_task("own", Tones(tmp_path))
    assert sys.path == before
