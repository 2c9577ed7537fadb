"""Hashes of a HEAR module and its weights; the model is not loaded."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, packages_distributions, requires, version
from importlib.util import find_spec
from pathlib import Path

from mirprobe.core.errors import ConfigError
from mirprobe.core.hashing import digest, file_digest


def module_digest(name: str) -> str:
    """A hash of the package of a module: its files, its version, the versions of its requirements.

    Args:
        name: dotted, such as `hearbaseline.vqt`. Its parent packages are imported; the module is
            not.

    Raises:
        ConfigError: the module does not exist or has no file, or a parent package fails to import.
    """
    package = name.partition(".")[0]
    try:
        found = find_spec(name) and find_spec(package)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise ConfigError(
                f"encoder hear: module '{name}' needs '{error.name}': install it"
            ) from error
        found = None
    except Exception as error:
        raise ConfigError(
            f"encoder hear: the package of module '{name}' fails to import "
            f"({type(error).__name__}: {error}); fix it"
        ) from error
    if not found:
        raise ConfigError(
            f"encoder hear: there is no module '{name}'; install its package, or add its folder "
            "to PYTHONPATH"
        )
    if found.submodule_search_locations is not None:
        folders = [Path(folder) for folder in found.submodule_search_locations]
        files = [(file.relative_to(root), file) for root in folders for file in root.rglob("*")]
    elif found.origin is not None and Path(found.origin).is_file():
        files = [(Path(Path(found.origin).name), Path(found.origin))]
    else:
        raise ConfigError(f"encoder hear: module '{name}' has no file to hash; choose another")
    hashes = sorted(
        (relative.as_posix(), file_digest(file))
        for relative, file in files
        if file.is_file() and "__pycache__" not in relative.parts
    )
    return digest(hashes, sorted(_releases(package)))


def weights_digest(weights: str | Path | None) -> str | None:
    """A hash of the bytes of a file, or of all files of a folder; None for None."""
    if weights is None:
        return None
    path = Path(weights)
    if path.is_file():
        return file_digest(path)
    files = sorted(file for file in path.rglob("*") if file.is_file())
    return digest([(file.relative_to(path).as_posix(), file_digest(file)) for file in files])


def _releases(package: str) -> set[tuple[str, str]]:
    """(name, version) of the distributions that contain the package, and of their requirements."""
    owners = packages_distributions().get(package, [])
    needs = [need for owner in owners for need in requires(owner) or () if "extra ==" not in need]
    names = {*owners, *(re.split(r"[^\w.-]", need, maxsplit=1)[0] for need in needs)}
    found = set()
    for name in names:
        try:
            found.add((name, version(name)))
        except PackageNotFoundError:  # optional or replaced: the module may work without it
            found.add((name, ""))
    return found
