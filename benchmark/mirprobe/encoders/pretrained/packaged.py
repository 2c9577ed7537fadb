"""Finds files of installed packages without importing the packages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from mirprobe.core.errors import ConfigError


def packaged_file(encoder: str, package: str, path: str, command: str) -> Path:
    """The path of a file of an installed package.

    Args:
        encoder: registered name of the encoder, for messages.
        package: name of the distribution, such as `basic-pitch`.
        path: path of the file within site-packages.
        command: the command that installs the package, for messages.

    Raises:
        ConfigError: the package is not installed, or does not contain the file.
    """
    try:
        installed = distribution(package)
    except PackageNotFoundError as error:
        raise ConfigError(f"encoder {encoder} needs the package {package}: {command}") from error
    found = Path(str(installed.locate_file(path)))
    if not found.is_file():
        raise ConfigError(
            f"encoder {encoder}: {package} {installed.version} has no {path}; install it again: "
            f"{command}"
        )
    return found


@contextmanager
def importing(encoder: str, command: str) -> Iterator[None]:
    """Name the encoder and the remedy if the imports in the block fail.

    Raises:
        ConfigError: a package is missing, or does not fit the torch that is installed.
    """
    try:
        yield
    except ImportError as error:
        raise ConfigError(f"encoder {encoder} needs {error.name}: {command}") from error
    except (OSError, RuntimeError) as error:  # torchaudio refuses torch 2.15 and later
        raise ConfigError(
            f"encoder {encoder}: a package that it needs does not fit torch ({error}); "
            "pip install 'torch<2.15' in an environment of its own"
        ) from error
