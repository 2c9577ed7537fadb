"""YAML that users write: a key that is given twice is refused, and any fault is a ValueError."""

from __future__ import annotations

from collections import Counter
from typing import Any

import yaml


class _Distinct:
    """A constructor of mappings that refuses a key given twice, of which YAML takes the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        counts = Counter(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
        for key, count in counts.items():
            if count > 1 and key != "<<":
                raise yaml.YAMLError(f"line {node.start_mark.line + 1}: '{key}' is given twice")
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)  # type: ignore[misc]
        return mapping


class _Typed(_Distinct, yaml.SafeLoader):
    pass


class _Text(_Distinct, yaml.BaseLoader):
    pass


def load_yaml(text: str, *, typed: bool = True) -> Any:
    """The value that a YAML text holds.

    Args:
        text: one document.
        typed: whether scalars may be numbers, booleans or dates; otherwise all of them are text.

    Raises:
        ValueError: it is not YAML, a key is given twice, or it nests too deeply.
    """
    try:
        return yaml.load(text, _Typed if typed else _Text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ValueError(
            " ".join(str(error).replace('in "<unicode string>", ', "at ").split())
            or type(error).__name__
        ) from error
