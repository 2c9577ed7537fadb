from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from typer.testing import CliRunner

from mirprobe.cli.app import app
from mirprobe.core.errors import ConfigError
from mirprobe.evaluation.config import Preset, ProbeKind, RunConfig, make_config
from mirprobe.evaluation.device import find_device
from mirprobe.probing.probes import PRESETS, probe_config


@pytest.mark.parametrize(
    ("values", "name", "wanted"),
    [
        ({"encoders": "logmel"}, "encoders", ("logmel",)),
        ({"seeds": 5}, "seeds", (5,)),
        ({"layers": 12}, "layers", ("12",)),
        ({"layers": "all"}, "layers", "all"),
        ({"limit": None}, "limit", None),
        ({"cache_dir": Path("x")}, "cache_dir", Path("x")),
        ({"tasks": ("key", "beat")}, "tasks", ("key", "beat")),
    ],
)
def test_plain_values_become_fields(values: dict[str, Any], name: str, wanted: Any) -> None:
    assert getattr(make_config(values), name) == wanted


@pytest.mark.parametrize(
    ("name", "value", "takes"),
    [
        ("encoders", 1.5, "a list of str"),
        ("encoders", [["logmel"]], "a list of str"),
        ("tasks", None, "a list of str"),
        ("tasks", {"key": 1}, "a list of str"),
        ("dataset", 7, "str or null"),
        ("test_dataset", ["a"], "str or null"),
        ("data_home", 3, "Path"),
        ("layers", [1.5], "a list of str"),
        ("probe", ["linear"], "str"),
        ("preset", True, "str"),
        ("seeds", True, "a list of int"),
        ("seeds", ["0"], "a list of int"),
        ("seeds", [1.0], "a list of int"),
        ("device", 0, "str"),
        ("dtype", 16, "str"),
        ("limit", True, "int or null"),
        ("limit", "7", "int or null"),
        ("strict", 1, "bool"),
        ("strict", "yes", "bool"),
        ("cache_dir", 3, "Path or str"),
        ("results_dir", False, "Path"),
    ],
)
def test_a_wrong_type_names_the_field_and_the_file(name: str, value: Any, takes: str) -> None:
    # the same values stand, rightly, in another field before it
    values = {"limit": 1, "strict": False, "seeds": [0]} | {name: value}
    message = f"field '{name}' is {value!r}; it takes {takes}"
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        make_config(values)
    with pytest.raises(ConfigError, match=f"^{re.escape(f'suite.yaml: {message}')}$"):
        make_config(values, origin="suite.yaml: ")


def test_the_default_is_the_run_without_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[RunConfig] = []

    def stop(config: RunConfig) -> None:
        started.append(config)
        raise ConfigError("enough")

    monkeypatch.setattr("mirprobe.evaluation.runner.run", stop)
    assert CliRunner().invoke(app, ["run"]).exit_code == 2
    assert started[0] == RunConfig()
    assert {config.dataset for config in started[1:]} <= {"scores"}  # where music21 is installed
    assert RunConfig() == make_config({})
    assert RunConfig().encoders == ("vit1d", "logmel", "mfcc", "chroma", "vit1d-random")
    assert RunConfig().tasks == ("tagging", "key", "chord", "beat")


def test_device() -> None:
    assert find_device("cpu") == "cpu"
    wanted = "cuda" if torch.cuda.is_available() else "cpu"
    assert find_device("auto") == wanted


@pytest.mark.parametrize("device", ["banana", f"cuda:{torch.cuda.device_count() + 7}"])
def test_a_device_that_is_not_there_is_refused(device: str) -> None:
    with pytest.raises(ConfigError, match=f"^device '{device}' cannot be used: .") as caught:
        find_device(device)
    assert "\n" not in str(caught.value)


def test_choices_are_the_names_that_the_probes_know() -> None:
    assert set(get_args(Preset)) == set(PRESETS)
    for kind in get_args(ProbeKind):
        probe_config("standard", kind)
