"""Files of packages that were installed for their weights, found without importing the packages."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from mirprobe.core.errors import ConfigError


def packaged_file(encoder: str, package: str, path: str, command: str) -> Path:
    """Where an installed package has a file.

    Args:
        encoder: its registered name, for messages.
        package: name of the distribution, such as `basic-pitch`.
        path: within site-packages.
        command: what installs the package.

    Raises:
        ConfigError: the package is not installed, or has no such file.
    """
    try:
        installed = distribution(package)
    except PackageNotFoundError as error:
        raise ConfigError(f"encoder {encoder} needs the package {package}: {command}") from error
    found = Path(str(installed.locate_file(path)))
    if not found.is_file():
        raise ConfigError(
            f"encoder {encoder}: {package} {installed.version} has no {path}; install it anew: "
            f"{command}"
        )
    return found
