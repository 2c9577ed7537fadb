"""Annotations from a mapping of names, among them names of plug-ins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from mirprobe.core.schema import Annotations

_FIELDS = {field.name for field in fields(Annotations)}


def make_annotations(values: Mapping[str, Any]) -> Annotations:
    """Annotations with these values; a name that is no field becomes a key of `extra`."""
    extra = {name: value for name, value in values.items() if name not in _FIELDS}
    known = {name: value for name, value in values.items() if name in _FIELDS}
    return Annotations(**known, extra=extra or None)
