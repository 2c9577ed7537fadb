"""Faults of a user's own data, collected so that one message can list them."""

from __future__ import annotations

from pathlib import Path

from mirprobe.core.errors import ConfigError

SHOWN = 20
"""Largest number of faults that the error message lists; the others are counted."""


class Faults:
    """Faults in the order in which they were found."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def add(self, where: str, what: str) -> None:
        """Add a fault.

        Args:
            where: file, with row or line if there is one.
            what: the fault and its remedy.
        """
        self._lines.append(f"{where}: {what}")

    def __bool__(self) -> bool:
        return bool(self._lines)

    def report(self, path: Path) -> None:
        """Raise the collected faults, if there are any.

        Args:
            path: the YAML file, for the message.

        Raises:
            ConfigError: one line with the first `SHOWN` faults and the number of the others.
        """
        if not self._lines:
            return
        count = len(self._lines)
        if count == 1:
            raise ConfigError(f"{path}: {self._lines[0]}")
        shown = " ".join(f"({n}) {line}" for n, line in enumerate(self._lines[:SHOWN], start=1))
        others = f" and {count - SHOWN} more" if count > SHOWN else ""
        raise ConfigError(f"{path}: {count} faults: {shown}{others}")
