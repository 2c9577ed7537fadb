"""Checks of the file that a command shall write, before any work."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from mirprobe.core.errors import ConfigError


def check_output(path: Path, endings: Collection[str]) -> None:
    """Check that a file can have this name, and that its format is known.

    Raises:
        ConfigError: it is a folder, or has another ending.
    """
    if path.is_dir():
        raise ConfigError(f"{path}: is a folder; name a file with --output")
    if path.suffix.lower() not in endings:
        *first, last = endings
        kinds = f"{', '.join(first)} or {last}" if first else last
        raise ConfigError(f"{path}: unknown format '{path.suffix}'; end it in {kinds}")
