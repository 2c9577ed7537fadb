"""Faults of a user's own data, collected so that one error can list them."""

from __future__ import annotations

from pathlib import Path

from mirprobe.core.errors import ConfigError, ListedError

SHOWN = 20
"""Largest number of faults that the error lists; the others are counted."""


class Faults:
    """Faults in the order in which they were found.

    Args:
        path: the YAML file that describes the data.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._found: list[tuple[str, str]] = []

    def add(self, what: str, where: str = "") -> None:
        """Add a fault.

        Args:
            what: the fault and its remedy.
            where: file, with row or line if there is one; empty for the YAML file.
        """
        self._found.append((where, what))

    def __bool__(self) -> bool:
        return bool(self._found)

    def report(self) -> None:
        """Raise the collected faults, if there are any.

        Raises:
            ConfigError: the fault, or the first `SHOWN` faults and the number of the others.
        """
        count = len(self._found)
        if count == 1:
            [(where, what)] = self._found
            raise ConfigError(": ".join(filter(None, (str(self._path), where, what))))
        lines = [f"{where or self._path.name}: {what}" for where, what in self._found[:SHOWN]]
        if lines:
            raise ListedError(f"{self._path}: {count} faults", lines, count - len(lines))
