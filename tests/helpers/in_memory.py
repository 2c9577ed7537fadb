"""Frames without a file."""

from __future__ import annotations

from dataclasses import dataclass

from mirprobe.core.schema import Floating


@dataclass(frozen=True, eq=False)
class InMemory:
    """Frames in an array in memory."""

    array: Floating

    @property
    def shape(self) -> tuple[int, ...]:
        """(time, variants, dim)."""
        return self.array.shape

    def read(self, start: int = 0, stop: int | None = None) -> Floating:
        """Rows `start` to `stop`."""
        return self.array[start:stop]
