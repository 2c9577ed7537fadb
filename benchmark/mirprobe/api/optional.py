"""Optional members of plug-ins: one place for each default."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class OptionalMember(Generic[T]):
    """A member that a plug-in may leave out. Call it with a plug-in to read the member.

    Attributes:
        name: of the attribute or method.
        default: what the harness uses where the plug-in does not define it.
    """

    name: str
    default: T

    def __call__(self, plugin: object) -> T:
        """The member of `plugin`, an instance or a class, or the default."""
        value: T = getattr(plugin, self.name, self.default)
        return value


positional_of: OptionalMember[tuple[str, ...]] = OptionalMember("positional", ())
"""Options of a plug-in's class whose `key=` may be left out of a specification, in their order."""
