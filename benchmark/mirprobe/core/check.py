"""The result of one check of a plug-in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """The result of one check.

    Attributes:
        name: of the check.
        passed: None where the check does not apply or could not be made.
        found: what was measured.
        remedy: what to do if it failed.
    """

    name: str
    passed: bool | None
    found: str
    remedy: str = ""
