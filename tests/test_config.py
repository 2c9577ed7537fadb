from __future__ import annotations

import re
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pytest
import torch
import typer

from mirprobe import cli
from mirprobe.cli_run import run_command
from mirprobe.config import RunConfig, load_suite, make_config
from mirprobe.errors import ConfigError

SUITE = """
encoders: [logmel, "vit1d-random:seed=1,config=vit1d-rope"]
tasks: [key]
dataset: studio:size=72
layers: [4, 8]
probe: mlp
preset: paper
seeds: [3, 1]
device: cpu
dtype: float32
limit: 7
strict: true
data_home: somewhere/home
cache_dir: somewhere/cache
results_dir: elsewhere
"""


def suite(folder: Path, text: str) -> Path:
    path = folder / "suite.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_suite_sets_every_field(tmp_path: Path) -> None:
    found = load_suite(suite(tmp_path, SUITE), {})
    assert found == RunConfig(
        encoders=("logmel", "vit1d-random:seed=1,config=vit1d-rope"),
        tasks=("key",),
        dataset="studio:size=72",
        layers=("4", "8"),
        probe="mlp",
        preset="paper",
        seeds=(3, 1),
        device="cpu",
        dtype="float32",
        limit=7,
        strict=True,
        data_home=Path("somewhere/home"),
        cache_dir=Path("somewhere/cache"),
        results_dir=Path("elsewhere"),
    )
    default = asdict(RunConfig())
    sides = {"train_dataset", "test_dataset", "test_tracks"}  # these stand for `dataset`
    same = {name for name, value in asdict(found).items() if value == default[name]}
    assert same == sides


@pytest.mark.parametrize("text", ["", "{}", "# nothing\n"])
def test_an_empty_suite_is_the_default(text: str, tmp_path: Path) -> None:
    assert load_suite(suite(tmp_path, text), {}) == RunConfig()


def test_options_win_over_the_suite(tmp_path: Path) -> None:
    options = {"tasks": ["beat", "chord"], "limit": 2, "layers": "all", "strict": False}
    found = load_suite(suite(tmp_path, SUITE), options)
    assert (found.tasks, found.limit) == (("beat", "chord"), 2)
    assert (found.layers, found.strict) == ("all", False)
    assert (found.probe, found.seeds) == ("mlp", (3, 1))


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
        ("cache_dir", 3, "Path"),
        ("results_dir", False, "Path"),
    ],
)
def test_a_wrong_type_names_the_field_and_the_file(
    name: str, value: Any, takes: str, tmp_path: Path
) -> None:
    # the same values stand, rightly, in another field before it
    values = {"limit": 1, "strict": False, "seeds": [0]} | {name: value}
    message = f"field '{name}' is {value!r}; it takes {takes}"
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        make_config(values)
    with pytest.raises(ConfigError, match=re.escape(f"suite.yaml: {message}")):
        load_suite(suite(tmp_path, f"{{{name}: {_yaml(value)}}}"), {})


def _yaml(value: Any) -> str:
    import yaml

    return str(yaml.safe_dump(value, default_flow_style=True)).partition("\n")[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tsks: [key]", "unknown field 'tsks'; did you mean 'tasks'?"),
        ("3: [key]", "unknown field '3'; known: cache_dir, "),
        ("preset: papper", "unknown preset 'papper'; did you mean 'paper'?"),
        ("probe: liner", "unknown probe 'liner'; did you mean 'linear'?"),
        ("dtype: float8", "unknown dtype 'float8'; did you mean 'float"),
        ("limit: 0", "limit is 0; it must be at least 1"),
        ("seeds: [0, -1]", "seed -1 must lie between 0 and 2**63 - 1"),
        ("seeds: []", "'seeds' is empty"),
        ("tasks: [key, key]", "'tasks' names one twice: key, key"),
        ("[key]", "must hold `field: value` lines, not a list"),
        ("tasks: [key", "not readable as YAML"),
        ("a: b: c", "not readable as YAML"),
    ],
)
def test_a_bad_suite_is_named_in_one_line(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_suite(suite(tmp_path, text), {})
    assert str(caught.value).startswith(f"{tmp_path / 'suite.yaml'}: {message}")
    assert "\n" not in str(caught.value)


def test_an_option_is_not_blamed_on_the_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^unknown preset 'papper'"):
        load_suite(suite(tmp_path, SUITE), {"preset": "papper"})


def test_a_suite_that_is_missing_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere.yaml: no such suite file"):
        load_suite(tmp_path / "nowhere.yaml", {})
    with pytest.raises(ConfigError, match="not readable as YAML"):
        load_suite(tmp_path, {})
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"binary.yaml: not readable as YAML"):
        load_suite(tmp_path / "binary.yaml", {})


def test_the_default_is_the_run_without_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[RunConfig] = []

    def stop(config: RunConfig) -> None:
        started.append(config)
        raise ConfigError("enough")

    monkeypatch.setattr("mirprobe.runner.run", stop)
    with pytest.raises(typer.Exit):
        run_command()
    assert started == [RunConfig()]
    assert RunConfig() == make_config({})
    assert RunConfig().encoders == ("logmel", "mfcc", "chroma", "vit1d-random")
    assert RunConfig().tasks == ("tagging", "key", "chord", "beat")


def test_every_field_is_an_option_of_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    options = set(typer.main.get_command(cli.app).commands["run"].params)  # type: ignore[attr-defined]
    names = {option.name for option in options}
    singular = {"encoders": "encoder", "tasks": "task", "seeds": "seed"}
    assert {singular.get(field.name, field.name) for field in fields(RunConfig)} <= names


def test_device() -> None:
    assert RunConfig(device="cpu").torch_device() == "cpu"
    wanted = "cuda" if torch.cuda.is_available() else "cpu"
    assert RunConfig(device="auto").torch_device() == wanted


@pytest.mark.parametrize("device", ["banana", f"cuda:{torch.cuda.device_count() + 7}"])
def test_a_device_that_is_not_there_is_refused(device: str) -> None:
    with pytest.raises(ConfigError, match=f"^device '{device}' cannot be used: .") as caught:
        RunConfig(device=device).torch_device()
    assert "\n" not in str(caught.value)
