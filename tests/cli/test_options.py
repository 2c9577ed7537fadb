from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from mirprobe.cli.app import app
from mirprobe.cli.options import build, help_texts, options_from
from mirprobe.cli.pretrain import NOT_OPTIONS
from mirprobe.core.errors import ConfigError
from mirprobe.evaluation.config import RunConfig, make_config
from mirprobe.pretraining.config import DeviceConfig, FitConfig, Intervals

OWN = {
    "run": {"add_encoder", "suite", "help"},
    "extract": {"suite", "level", "help"},
    "fit": {"bank", "output", "config", "begin_with", "help"},
}
"""Parameters of commands that are no fields."""

NOT_IN_EXTRACT = {"probe", "preset", "pca", "seeds", "results_dir"}
TRAINING = (FitConfig, DeviceConfig, Intervals)


def parameters(*words: str) -> dict[str, Any]:
    """The parameters of a command, by name."""
    command: Any = typer.main.get_command(app)
    for word in words:
        command = command.commands[word]
    return {option.name: option for option in command.params}


def names(*configs: type) -> set[str]:
    return {field.name for config in configs for field in fields(config)}


def test_every_field_of_a_run_is_an_option_of_run_and_extract() -> None:
    assert set(parameters("run")) - OWN["run"] == names(RunConfig)
    assert set(parameters("extract")) - OWN["extract"] == names(RunConfig) - NOT_IN_EXTRACT


def test_every_option_of_fit_is_a_field() -> None:
    assert set(parameters("pretrain", "fit")) - OWN["fit"] == names(*TRAINING) - set(NOT_OPTIONS)
    assert set(NOT_OPTIONS) < names(FitConfig)


@pytest.mark.parametrize("config", [RunConfig, *TRAINING])
def test_every_field_has_a_help_text(config: type) -> None:
    texts = help_texts(config)
    assert set(texts) == names(config)
    assert all(text.endswith(".") and text[0].isupper() for name, text in texts.items())


def test_names_of_options() -> None:
    found = {name: option.opts for name, option in parameters("run").items()}
    assert found["encoders"] == ["--encoder"]
    assert found["tasks"] == ["--task"]
    assert found["seeds"] == ["--seed"]
    assert found["test_tracks"] == ["--test-tracks"]
    assert found["layers"] == ["--layers"]
    strict = parameters("run")["strict"]
    assert (strict.opts, strict.secondary_opts, strict.is_flag) == (["--strict"], [], True)
    assert parameters("pretrain", "fit")["log_every"].opts == ["--log-every"]


def test_help_shows_choices_and_defaults() -> None:
    found = parameters("run")
    assert found["precision"].metavar == "<auto|32|bf16|fp16>"
    assert found["precision"].help.endswith("Default: 32.")
    assert found["seeds"].help.endswith("May be repeated. Default: 0.")
    assert "Default" not in found["strict"].help
    assert "Default" not in found["limit"].help
    fit = parameters("pretrain", "fit")
    assert fit["objective"].metavar == "<ntxent|cojepa>"
    assert fit["batch"].help.endswith("Default: 128.")


def given_to(config: type, *words: str) -> dict[str, Any]:
    """What a command with the options of a dataclass is given."""
    found: dict[str, Any] = {}
    own = typer.Typer()

    @own.command()
    @options_from(config)
    def command(**given: Any) -> None:
        found.update(given)

    result = CliRunner().invoke(own, list(words))
    assert result.exit_code == 0, result.output
    return found


def test_only_options_on_the_command_line_are_given() -> None:
    assert given_to(RunConfig) == {}
    words = ["--encoder", "a", "--encoder", "b", "--layers", "4,8,12", "--seed", "3", "--strict"]
    found = given_to(RunConfig, *words, "--cache-dir", "s3://bucket/x", "--limit", "2")
    assert found == {
        "encoders": ["a", "b"],
        "layers": ["4", "8", "12"],
        "seeds": [3],
        "strict": True,
        "cache_dir": "s3://bucket/x",
        "limit": 2,
    }
    assert make_config(found).layers == ("4", "8", "12")
    assert given_to(RunConfig, "--layers", "all") == {"layers": "all"}
    words = ["--layers", "4,8", "--layers", "12", "--pooling", "mean", "--pooling", "max"]
    assert given_to(RunConfig, *words) == {"layers": ["4", "8", "12"], "pooling": ["mean", "max"]}


def test_fields_are_divided_among_dataclasses() -> None:
    given = {"lr": 1.0, "devices": 2, "save_every": 7}
    assert build(FitConfig, given) == FitConfig(lr=1.0)
    assert build(DeviceConfig, given) == DeviceConfig(devices=2)
    assert build(Intervals, given) == Intervals(save_every=7)
    with pytest.raises(ConfigError, match="save_every=-1: a number of steps, 0 for never"):
        build(Intervals, {"save_every": -1})


def test_a_choice_that_is_unknown_is_one_line() -> None:
    for words, message in (
        (["run", "--engine", "rai"], "unknown engine 'rai'; did you mean 'ray'?"),
        (["run", "--test-tracks", "al"], "unknown test_tracks 'al'; did you mean 'all'?"),
        (["run", "--precision", "64"], "unknown precision '64'; known: 32, auto, bf16, fp16"),
    ):
        result = CliRunner().invoke(app, words)
        assert (result.exit_code, result.stderr) == (2, f"error: {message}\n")


def commands(group: Any, *words: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command with the words that name it."""
    for word, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, *words, word)
        else:
            yield (*words, word), command


@pytest.mark.parametrize(
    ("words", "command"), [*commands(typer.main.get_command(app))], ids=lambda one: str(one)
)
def test_no_option_drops_what_is_given_first(words: tuple[str, ...], command: Any) -> None:
    for option in command.params:
        if option.param_type_name != "option" or option.multiple:
            continue
        twice = [option.opts[0], *["1"] * (not option.is_flag)] * 2
        result = CliRunner().invoke(app, [*words, *twice])
        message = f"error: {option.opts[0]} is given 2 times; give it once\n"
        assert (result.exit_code, result.stderr) == (2, message)


def test_help_needs_no_heavy_package() -> None:
    heavy = "{'torch', 'numpy', 'pandas', 'pydantic', 'matplotlib'}"
    program = f"import sys, mirprobe.cli; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
