"""Types of the fields of a dataclass: what they take, and plain values cast to them."""

from __future__ import annotations

import types
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from mirprobe.core.errors import ConfigError
from mirprobe.embedding.remote_store import is_url


def alternatives(hint: Any) -> tuple[Any, ...]:
    """The members of a union; any other type is the only one."""
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def choices_of(hint: Any) -> tuple[str, ...]:
    """The values of a `Literal`, or of one in a union; empty for other types."""
    literals = [kind for kind in alternatives(hint) if get_origin(kind) is Literal]
    return tuple(choice for kind in literals for choice in get_args(kind))


def cast_field(name: str, value: Any, hint: Any) -> Any:
    """A plain value in the annotated type of its field.

    Raises:
        ConfigError: it is of another type. A bool is not accepted as an int.
    """
    takes = []
    for kind in alternatives(hint):
        if get_origin(kind) is tuple:
            (item, _), items = get_args(kind), value if isinstance(value, list | tuple) else [value]
            if item is str:  # YAML reads the layers [4, 8] as numbers
                items = [str(one) if type(one) is int else one for one in items]
            if all(type(one) is item for one in items):
                return tuple(items)
            takes = [f"a list of {item.__name__}"]
        elif get_origin(kind) is Literal:  # YAML reads the precision 32 as a number
            if type(value) is str or str(value) in get_args(kind):
                return str(value)
            takes.append("str")
        elif kind is Path:
            if isinstance(value, Path) or (isinstance(value, str) and not is_url(value)):
                return Path(value)
            takes.append("Path")
        elif type(value) is kind:
            return value
        else:
            takes.append("null" if kind is type(None) else kind.__name__)
    raise ConfigError(f"field '{name}' is {value!r}; it takes {' or '.join(takes)}")
