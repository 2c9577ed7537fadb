"""Suites: YAML files of runs, found by path or by name in installed packages.

A file has fields of `RunConfig`. It may have a list `runs` of further mappings of fields. Each of
them is one run, and its fields override those of the file. The field `requires` of a run names a
Python module: the run is left out if the module is not installed.

A package provides suites through the entry-point group `mirprobe.suites`: the entry point names a
package, and every `*.yaml` in it is a suite of that name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import entry_points
from importlib.resources import files
from importlib.util import find_spec
from os.path import exists
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mirprobe.api.specs import nearest
from mirprobe.core.errors import ConfigError, plugin_errors, refuse
from mirprobe.core.yaml_text import load_yaml
from mirprobe.evaluation.config import RunConfig, make_config

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

GROUP = "mirprobe.suites"
SUFFIX = ".yaml"


def registered() -> dict[str, Traversable]:
    """The file of every suite of the installed packages, by name.

    Raises:
        ConfigError: two packages have a suite of the same name, or a package fails to import.
    """
    found: dict[str, Traversable] = {}
    origins: dict[str, str] = {}
    for package in sorted({point.value for point in entry_points(group=GROUP)}):
        with plugin_errors(
            f"suites of package '{package}' cannot be read", "repair or uninstall it"
        ):
            entries = list(files(package).iterdir())
        for file in entries:
            name = file.name.removesuffix(SUFFIX)
            if name == file.name:
                continue
            if name in found:
                raise ConfigError(
                    f"two packages have the suite '{name}': {origins[name]} and {package}; "
                    "uninstall one of them"
                )
            found[name], origins[name] = file, package
    return dict(sorted(found.items()))


def summary(file: Traversable) -> str:
    """The comment in the first line of a suite."""
    first = file.read_text(encoding="utf-8").partition("\n")[0]
    return first.removeprefix("#").strip() if first.startswith("#") else ""


def load_suite(suite: str, overrides: Mapping[str, Any]) -> dict[RunConfig, str]:
    """The runs of a suite, and the place of each, such as `further: run 2`.

    Args:
        suite: a name, or the path of a YAML file.
        overrides: fields that replace those of the file. If the file has `runs`, `tasks` selects
            among the tasks of each run; runs without any of them are dropped.

    Raises:
        ConfigError: the suite is unknown or not YAML, or a field is unknown or of a wrong type.
    """
    values = _read(suite)
    runs = values.pop("runs", None)
    if runs is None:
        make_config(values, origin=f"{suite}: ")  # the message names the file
        return {make_config(_over(values, overrides)): suite}
    if not isinstance(runs, list) or not runs or not all(isinstance(one, dict) for one in runs):
        raise ConfigError(f"{suite}: 'runs' must be a list of mappings, `- field: value`")
    rest = {name: value for name, value in overrides.items() if name != "tasks"}
    chosen: dict[str, dict[str, Any]] = {}
    faults: list[str] = []
    for number, fields in enumerate(runs, 1):
        module = fields.pop("requires", None)
        place, merged = f"{suite}: run {number}", _over(values, fields)
        try:
            make_config(merged, origin=f"{place}: ")
        except ConfigError as error:
            faults.append(str(error))
        if module is None or find_spec(str(module)):
            chosen[place] = _over(merged, rest)
    refuse(faults, "wrong runs; none was begun")
    configs = {place: make_config(merged) for place, merged in chosen.items()}
    if "tasks" in overrides:
        configs = _choose(configs, make_config({"tasks": overrides["tasks"]}).tasks)
    found: dict[RunConfig, str] = {}
    for place, config in configs.items():
        found.setdefault(config, place)
    return found


def _read(suite: str) -> dict[str, Any]:
    """The fields in the file of a suite."""
    known = registered()
    path = Path(suite)
    if suite not in known and path.suffix not in (SUFFIX, ".yml") and not exists(path):
        raise ConfigError(f"unknown suite '{suite}'; {nearest(suite, known)}")
    file = known.get(suite, path)
    try:
        values = load_yaml(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"{suite}: no such suite file") from error
    except (ValueError, OSError) as error:
        raise ConfigError(f"{suite}: not readable as YAML: {error}") from error
    if values is None:
        values = {}
    if not isinstance(values, dict):
        raise ConfigError(f"{suite}: must hold `field: value` lines, not a {type(values).__name__}")
    return values


def _over(fields: Mapping[str, Any], winners: Mapping[str, Any]) -> dict[str, Any]:
    """`fields`, overridden by `winners`. One data set replaces the two sides, and vice versa."""
    sides = ("train_dataset", "test_dataset", "test_tracks")
    replaced: tuple[str, ...] = ()
    if "dataset" in winners:
        replaced = sides
    elif set(sides) & set(winners):
        replaced = ("dataset",)
    kept = {name: value for name, value in fields.items() if name not in replaced}
    return {**kept, **winners}


def _choose(configs: dict[str, RunConfig], tasks: tuple[str, ...]) -> dict[str, RunConfig]:
    """The runs that have one of `tasks`, with only those tasks."""
    known = {task for config in configs.values() for task in config.tasks}
    for task in tasks:
        if task not in known:
            raise ConfigError(f"no run of the suite has the task '{task}'; {nearest(task, known)}")
    return {
        place: replace(config, tasks=tuple(task for task in config.tasks if task in tasks))
        for place, config in configs.items()
        if set(config.tasks) & set(tasks)
    }
