"""Encoders with one fault, and what the checks of an encoder say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from helpers.levels import Levels
from torch import Tensor

from mirprobe.core.check import Check
from mirprobe.core.schema import Tokens
from mirprobe.encoders.validation.checks import validate


def checked(make: Callable[[], Any]) -> dict[str, Check]:
    found = list(validate(make))
    assert all("\n" not in check.found for check in found)
    assert len({check.name for check in found}) == len(found)
    return {check.name: check for check in found}


def failures(make: Callable[[], Any]) -> list[str]:
    return [name for name, check in checked(make).items() if check.passed is False]


ALL = [
    "attributes",
    "construction",
    "fingerprint",
    "tokens",
    "sources",
    "float16",
    "input",
    "batch",
    "repetition",
    "silence",
    "one sample",
    "one frame",
    "frame times",
    "drift",
    "fingerprint kept",
    "weights",
]


def changed(**attributes: Any) -> type[Levels]:
    return type("Changed", (Levels,), attributes)


def faulty(change: Callable[[Levels, Tensor, Tokens], Any]) -> type[Levels]:
    """The encoder with something done to its tokens."""

    def __call__(self: Levels, audio: Tensor) -> Any:
        return change(self, audio, Levels.__call__(self, audio))

    return changed(__call__=__call__)
