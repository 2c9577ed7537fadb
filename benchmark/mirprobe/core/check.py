"""The result of one check of a plug-in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def missing_members(plugin: object, names: Sequence[str], protocol: type) -> Check | None:
    """The failed check of a plug-in that lacks members of its protocol; None if it has all."""
    lacking = [name for name in names if not hasattr(plugin, name)]
    if not lacking:
        return None
    remedy = f"define them, see mirprobe.{protocol.__name__}"
    return Check("members", False, f"lacks {', '.join(lacking)}", remedy)


def members_check(tests: Mapping[str, object], found: str, protocol: type) -> Check:
    """The check of the members of a plug-in.

    Args:
        tests: what is wrong -> a value that is false if it is so.
        found: describes the members, if none is wrong.
        protocol: of the plug-in.
    """
    wrong = [text for text, right in tests.items() if not right]
    remedy = f"correct them, see mirprobe.{protocol.__name__}"
    return Check("members", not wrong, ", ".join(wrong) or found, remedy)
