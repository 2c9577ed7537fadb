"""Options of commands, made from the fields of dataclasses.

A field of `RunConfig`, `FitConfig`, `DeviceConfig` or `Intervals` is declared once: its type and
default in the dataclass, its help text in the section `Attributes` of the dataclass's docstring.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import fields
from functools import wraps
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

import typer

from mirprobe.evaluation.field_types import alternatives, choices_of

PANELS = {
    "What": ("encoders", "tasks"),
    "Data": (
        "dataset",
        "train_dataset",
        "test_dataset",
        "test_tracks",
        "perturb",
        "perturb_train",
        "drop_leaks",
        "strict",
    ),
    "Fewer tracks": ("limit", "test_limit", "train_tracks", "shots", "repeats", "valid_tracks"),
    "Probing": (
        "layers",
        "probe",
        "pooling",
        "readings",
        "preset",
        "pca",
        "seeds",
        "draws",
        "resamples",
        "folds",
    ),
    "Where": (
        "device",
        "engine",
        "gpu_workers",
        "chunk",
        "jobs",
        "data_home",
        "cache_dir",
        "local_dir",
        "results_dir",
    ),
    "How": ("dtype", "precision", "batch_size"),
}
"""Headings of the options in `--help`."""

T = TypeVar("T")
Command = Callable[..., None]


def options_from(
    *configs: type, only: Collection[str] = (), skip: Collection[str] = ()
) -> Callable[[Command], Command]:
    """Give a command an option for each field of some dataclasses.

    The command takes them as `**given`, by name of the field: only those on the command line, so
    that a field that is missing keeps the default of the dataclass or the value of a suite.

    Args:
        *configs: the dataclasses.
        only: the fields to take; empty for all.
        skip: fields to leave out.
    """
    hints = {name: hint for config in configs for name, hint in get_type_hints(config).items()}
    options = [
        _option(field.name, hints[field.name], field.default, texts[field.name])
        for config in configs
        for texts in [help_texts(config)]
        for field in fields(config)
        if field.name not in skip and (not only or field.name in only)
    ]
    made = {option.name for option in options}

    def decorate(command: Command) -> Command:
        @wraps(command)
        def with_options(**values: Any) -> None:
            command(
                **{
                    name: _split(value, hints[name]) if name in made else value
                    for name, value in values.items()
                    if name not in made or value is not None
                }
            )

        own = inspect.signature(command, eval_str=True).parameters.values()
        kept = [p.replace(kind=p.KEYWORD_ONLY) for p in own if p.kind is not p.VAR_KEYWORD]
        with_options.__signature__ = inspect.Signature([*kept, *options])  # type: ignore[attr-defined]
        return with_options

    return decorate


def build(config: type[T], given: Mapping[str, Any]) -> T:
    """The dataclass with those of the given values that are its fields."""
    names = {field.name for field in fields(config)}  # type: ignore[arg-type]
    return config(**{name: value for name, value in given.items() if name in names})


def help_texts(config: type) -> dict[str, str]:
    """The description of each field in the section `Attributes` of a dataclass's docstring."""
    _, _, section = inspect.getdoc(config).partition("Attributes:\n")  # type: ignore[union-attr]
    entries = re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", section, re.MULTILINE)
    return {name: " ".join(text.replace("`", "").split()) for name, text in entries}


def _option(name: str, hint: Any, default: Any, text: str) -> inspect.Parameter:
    """An option for a field. A list may be repeated; an option of lists only is in the singular."""
    kinds = [kind for kind in alternatives(hint) if kind is not type(None)]
    choices, flag, kind = choices_of(hint), name, kinds[0]
    lists = [get_args(one)[0] for one in kinds if get_origin(one) is tuple]
    if lists:
        kind = list[lists[0]]  # type: ignore[valid-type]
        flag = name.removesuffix("s") if len(kinds) == 1 else name
        text += " May be repeated."
    elif len(kinds) > 1 or choices:
        kind = str  # a choice that is unknown is refused by the dataclass, with the nearest name
    if isinstance(default, tuple):
        default = ", ".join(map(str, default))
    if default is not None and default is not False and default != "":
        text += f" Default: {default}."
    flag = f"--{flag.replace('_', '-')}"
    option = typer.Option(
        flag,
        help=text,
        metavar=f"<{'|'.join(choices)}>" if choices else None,
        rich_help_panel=next((panel for panel, own in PANELS.items() if name in own), None),
    )
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[kind | None, option],
    )


def _split(value: Any, hint: Any) -> Any:
    """`4,8,12` as a list and a single value as it is, for a field of a string or a list."""
    if not isinstance(value, list) or str not in alternatives(hint):
        return value
    parts = [part for text in value for part in text.split(",")]
    return parts if len(parts) > 1 else parts[0]
