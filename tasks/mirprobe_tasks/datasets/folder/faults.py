"""Faults of a user's own data, collected so that all can be mended at once."""

from __future__ import annotations

from pathlib import Path

from mirprobe.core.errors import ConfigError

SHOWN = 20
"""Faults that the error lists; of the others it says how many there are."""


class Faults:
    """What is wrong, in the order in which it was found."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def add(self, where: str, what: str) -> None:
        """Note a fault.

        Args:
            where: file, and row or line where there is one.
            what: is wrong, and what would be right.
        """
        self._lines.append(f"{where}: {what}")

    def __bool__(self) -> bool:
        return bool(self._lines)

    def report(self, path: Path) -> None:
        """End here if anything is wrong.

        Raises:
            ConfigError: one line with all faults, or the first `SHOWN` and the number of others.
        """
        if not self._lines:
            return
        count = len(self._lines)
        if count == 1:
            raise ConfigError(f"{path}: {self._lines[0]}")
        shown = " ".join(f"({n}) {line}" for n, line in enumerate(self._lines[:SHOWN], start=1))
        others = f" and {count - SHOWN} more" if count > SHOWN else ""
        raise ConfigError(f"{path}: {count} faults: {shown}{others}")
