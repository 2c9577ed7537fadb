"""What an encoder declares: read once, checked and cast, so that no later step meets a surprise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import isfinite
from numbers import Real
from operator import index
from typing import Any

from torch import Tensor

from mirprobe.api.encoder import Encoder, EncoderInfo, info_of
from mirprobe.core.errors import PluginError, described
from mirprobe.core.hashing import digest
from mirprobe.core.schema import Tokens
from mirprobe.encoders.process_state import kept_process_state

SOURCES = ("class", "sequence", "both")


class DeclarationError(PluginError):
    """An encoder lacks an attribute, or declares what it cannot be.

    Attributes:
        found: what is wrong.
        remedy: what it takes.
    """

    def __init__(self, name: str, found: str, remedy: str) -> None:
        joint = " " if found.startswith(("lacks", "raised")) else ": "
        super().__init__(f"encoder '{name}'{joint}{found}; {remedy}")
        self.found, self.remedy = found, remedy


class CheckedEncoder:
    """An encoder whose attributes have been read once, checked and cast to Python's own types.

    Args:
        name: its specification, for messages.
        plugin: the encoder.
        source: a hash of its source, where it comes from a file; part of the fingerprint then.
        built_in: whether its output depends on its fingerprint, this package and its requirements
            alone.

    Attributes:
        plugin: as given.
        built_in: as given.

    Raises:
        DeclarationError: an attribute is missing, cannot be what it says, or raises an error.
    """

    sample_rate: int
    window: float | None
    frame_rate: float | None
    layers: tuple[str, ...]
    dim: int
    sources: tuple[str, ...]
    fingerprint: str
    context: float

    def __init__(
        self, name: str, plugin: Encoder, source: str | None = None, built_in: bool = False
    ) -> None:
        self.name, self.plugin, self.built_in = name, plugin, built_in
        values = {attribute: self._read(attribute) for attribute in _ATTRIBUTES}
        missing = [a for a, value in values.items() if value is _MISSING]
        if missing:
            remedy = f"declare {'it' if len(missing) == 1 else 'them'} as mirprobe.Encoder"
            raise DeclarationError(name, f"lacks {', '.join(missing)}", remedy)
        for attribute, (cast, takes) in _ATTRIBUTES.items():
            try:
                value = cast(values[attribute])
            except (TypeError, ValueError, OverflowError) as error:
                found = f"{attribute} is {values[attribute]!r}"
                raise DeclarationError(name, found, f"it must be {takes}") from error
            setattr(self, attribute, value)
        if self.context and self.window is None:
            found = f"context is {self.context!r}"
            raise DeclarationError(name, found, f"it must be {_ATTRIBUTES['context'][1]}")
        if source is not None:
            self.fingerprint = digest("file", self.fingerprint, source)

    def __call__(self, audio: Tensor) -> Tokens:
        """As the encoder itself."""
        return self.plugin(audio)

    @property
    def info(self) -> EncoderInfo:
        """That of the encoder.

        Raises:
            PluginError: it is no `EncoderInfo`, or raises an error.
        """
        with self._errors("info"):
            return info_of(self.name, self.plugin)

    def own_fingerprint(self) -> str:
        """The fingerprint that the encoder declares now."""
        return str(self._read("fingerprint"))

    def _read(self, attribute: str) -> Any:
        with self._errors(attribute):
            return getattr(self.plugin, attribute, 0 if attribute == "context" else _MISSING)

    @contextmanager
    def _errors(self, attribute: str) -> Iterator[None]:
        """Any error where an attribute is read, as one that names both."""
        try:
            with kept_process_state():
                yield
        except (PluginError, KeyboardInterrupt):
            raise
        except BaseException as error:  # as in `plugin_errors`
            found = f"raised {described(error)}, where its {attribute} was read"
            raise DeclarationError(self.name, found, "correct it") from error


_MISSING = object()


def _number(value: Any) -> float:
    """A finite number, also one of NumPy."""
    if not isinstance(value, Real) or isinstance(value, bool) or not isfinite(value):
        raise TypeError
    return float(value)


def _positive(value: Any) -> float:
    if _number(value) <= 0:
        raise ValueError
    return float(value)


def _whole(value: Any) -> int:
    if _positive(value) != int(value):
        raise ValueError
    return int(value)


def _names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, tuple | list) or not value:
        raise TypeError
    names = tuple(name if isinstance(name, str) else str(index(name)) for name in value)
    if not all(names) or len(set(names)) < len(names):
        raise ValueError
    return names


def _sources(value: Any) -> tuple[str, ...]:
    names = _names(value)
    if not set(names) <= set(SOURCES):
        raise ValueError
    return names


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError
    return str(value)


_ATTRIBUTES: dict[str, tuple[Callable[[Any], Any], str]] = {
    "sample_rate": (_whole, "a whole number of Hz"),
    "window": (lambda v: None if v is None else _positive(v), "a number of seconds or None"),
    "context": (
        lambda v: _positive(v) if _number(v) else 0.0,
        "a number of seconds, and 0 without a window",
    ),
    "frame_rate": (
        lambda v: None if v is None else _positive(v),
        "a number of frames a second or None",
    ),
    "layers": (_names, "a tuple of different names"),
    "dim": (_whole, "a whole number"),
    "sources": (_sources, f"a tuple of {', '.join(SOURCES)}"),
    "fingerprint": (_text, "a string"),
}
