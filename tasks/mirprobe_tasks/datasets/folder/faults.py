"""Faults of a user's own data, collected so that one error can list them."""

from __future__ import annotations

import re
from pathlib import Path

from mirprobe.core.errors import ConfigError, ListedError

FEW = 3
"""Number of faults of one kind from which on they share a line that names so many rows."""

_ROW = re.compile(r"(?P<file>.*) row (?P<row>\d+)", re.DOTALL)
_QUOTED = re.compile(r"'[^']*'")


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
            ConfigError: the fault, or a line for each fault or each kind of faults.
        """
        count = len(self._found)
        if count == 1:
            [(where, what)] = self._found
            raise ConfigError(": ".join(filter(None, (str(self._path), where, what))))
        kinds: dict[tuple[str, str], list[tuple[str, str]]] = {}
        for fault in self._found:
            kinds.setdefault(self._kind(fault), []).append(fault)
        lines = []
        for fault in self._found:
            kind = kinds[self._kind(fault)]
            if len(kind) <= FEW:
                lines.append(f"{fault[0] or self._path.name}: {fault[1]}")
            elif fault is kind[0]:
                lines.append(_joined(kind))
        if lines:
            raise ListedError(f"{self._path}: {count} faults", lines)

    def _kind(self, fault: tuple[str, str]) -> tuple[str, str]:
        """The table, or whether it is another file; the text without what it quotes."""
        where, what = fault
        row = _ROW.fullmatch(where)
        return row["file"] if row else "" if where else self._path.name, _QUOTED.sub("", what)


def _joined(kind: list[tuple[str, str]]) -> str:
    """One line for many faults of one kind."""
    rows = [_ROW.fullmatch(where) for where, _ in kind[:FEW]]
    places = [row["row"] if row else where for row, (where, _) in zip(rows, kind, strict=False)]
    begins = f"{rows[0]['file']} rows " if rows[0] else ""
    what = kind[0][1]
    if any(other != what for _, other in kind):
        what = f"the first: {what}"
    return f"{begins}{', '.join(places)} and {len(kind) - FEW} more: {what}"
