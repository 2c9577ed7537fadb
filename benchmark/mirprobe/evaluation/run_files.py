"""What a run folder holds so that the run can be done again: a suite, and files of plug-ins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import yaml

from mirprobe.api.from_file import source_files
from mirprobe.api.specs import FILE_SPEC, is_file_spec, split_name
from mirprobe.core.atomic_write import write_whole
from mirprobe.core.hashing import digest
from mirprobe.data.paths import joined_specs
from mirprobe.encoders.specs import file_specs, split_pca
from mirprobe.evaluation.config import RunConfig

SUITE = "suite.yaml"
FOLDERS = ("data_home", "cache_dir", "local_dir", "results_dir")
OF_THE_MACHINE = (
    "device", "batch_size", "engine", "gpu_workers", "chunk", "jobs", "strict", *FOLDERS,
)  # fmt: skip
"""Fields of a configuration that change no score."""


def plain_config(config: RunConfig) -> dict[str, Any]:
    """The fields of a configuration as JSON and YAML have them."""
    return {field.name: _plain(getattr(config, field.name)) for field in fields(config)}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return value if isinstance(value, int | float | str | bool | None) else str(value)


def suite_text(config: RunConfig) -> str:
    """A suite file of one run. What is a default, or belongs to the machine, is left out."""
    values = {
        name: value
        for name, value in plain_config(config).items()
        if name in ("encoders", "tasks", "dataset") and value is not None
    }
    for field in fields(config):
        value = getattr(config, field.name)
        unusual = field.default is MISSING or value != field.default
        if unusual and field.name not in OF_THE_MACHINE:
            values[field.name] = _plain(value)
    title = f"# {len(config.encoders)} encoders on {', '.join(config.tasks)} of {config.data}\n"
    return title + yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=100)


def copy_plugins(config: RunConfig, folder: Path) -> dict[str, str]:
    """Copy the files of plug-ins, with the modules beside them that they import.

    Args:
        config: of the run.
        folder: of the run.

    Returns:
        The path of each file as the configuration has it -> that of its copy, relative to the
        folder.

    Raises:
        StorageError: the folder cannot be written.
    """
    copies = {}
    for spec in dict.fromkeys(_file_specs(config)):
        found = FILE_SPEC.fullmatch(spec)
        assert found is not None
        first, *others = source_files(spec)
        own = f"files/{first.stem}-{digest(found['path'])[:8]}"
        for file in (first, *others):
            relative = file.relative_to(first.parent)
            write_whole(folder / own / relative, file.read_bytes())
        copies[found["path"]] = f"{own}/{first.name}"
    return copies


def _file_specs(config: RunConfig) -> Iterator[str]:
    for encoder in config.encoders:
        yield from file_specs(split_pca(split_name(encoder)[1])[0])
    sides = [one for side in config.data.split(" -> ") for one in joined_specs(side)]
    yield from filter(is_file_spec, [*config.tasks, *sides])
