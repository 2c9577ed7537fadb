"""Specifications of plug-ins: `name:key=value,...` or `path/to/file.py:Class:key=value,...`."""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from mirprobe.core.errors import ConfigError, plugin_errors

T = TypeVar("T")

FILE_SPEC = re.compile(
    r"(?P<path>[^=]*\.py)(?::(?P<factory>[^:]*)(?::(?P<options>.*))?)?", re.DOTALL
)


QUOTED_OR_LETTER = re.compile(r"\"[^\"]*\"|'[^']*'|.", re.DOTALL)


def require_scores(what: str, name: str, known: Iterable[str], where: str = "") -> None:
    """Check that there are scores of a name.

    Args:
        what: the kind of name, such as `encoder`.
        name: the name.
        known: names that have scores.
        where: begins the message.

    Raises:
        ConfigError: it is not known.
    """
    known = list(known)
    if name not in known:
        raise ConfigError(f"{where}no scores of {what} '{name}'; {nearest(name, known)}")


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of an error message: the nearest known name, or all of them."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean '{close[0]}'?" if close else f"known: {', '.join(known)}"


def is_file_spec(spec: str) -> bool:
    """Whether `spec` names a class in a Python file: `.py` precedes its first `=`."""
    return FILE_SPEC.fullmatch(spec) is not None


def spec_name(spec: str) -> str:
    """The name in a specification without its options; of a class in a file, the class."""
    found = FILE_SPEC.fullmatch(spec.strip())
    return spec.partition(":")[0].strip() if found is None else found["factory"] or ""


def split_name(spec: str) -> tuple[str | None, str]:
    """Read `NAME=SPECIFICATION`; a name has no colon, parenthesis or quote.

    Returns:
        The name, None if there is none, and the specification.

    Raises:
        ConfigError: one of the two is empty.
    """
    name, equals, rest = spec.partition("=")
    if not equals or set(name) & set(":()'\""):
        return None, spec  # this `=` is one of an option
    if not name.strip() or not rest.strip():
        raise ConfigError(f"'{spec}': write NAME=SPECIFICATION")
    return name.strip(), rest.strip()


def with_option(spec: str, key: str, value: object) -> str:
    """A specification with one more option."""
    found = FILE_SPEC.fullmatch(spec)
    given = ":" in spec if found is None else found["options"]
    return f"{spec}{',' if given else ':'}{key}={value}"


def split_unquoted(text: str, separator: str, count: int = -1) -> list[str]:
    """Split a text at a separator outside of quotes, at most `count` times."""
    parts = [""]
    for piece in QUOTED_OR_LETTER.findall(text):
        if piece == separator and (count < 0 or len(parts) <= count):
            parts.append("")
        else:
            parts[-1] += piece
    return parts


def parse_options(
    text: str, spec: str, name: str, positional: Sequence[str] = ()
) -> dict[str, Any]:
    """Read `key=value,key=value`. Values are YAML scalars; quotes protect `,`, `=` and `#`.

    Args:
        text: the options.
        spec: the whole specification, for messages.
        name: the part of it before the options, for messages.
        positional: names of the first options, which may omit `key=`.

    Raises:
        ConfigError: an option has no `=`, is given twice, or its value is not YAML.
    """
    from mirprobe.core.yaml_text import load_yaml  # the command line starts without YAML

    options: dict[str, Any] = {}
    for index, item in enumerate(filter(None, split_unquoted(text, ","))):
        key, *values = split_unquoted(item, "=", 1)
        value = values[0] if values else ""
        if not values and index < len(positional) and list(options) == list(positional[:index]):
            key, value = positional[index], item
        elif not values:
            hint = (
                f', and quote a value that holds a comma, as in {name}:KEY="a,b"' if index else ""
            )
            raise ConfigError(
                f"'{spec}': option '{item}' has no value; write {name}:{item}=VALUE{hint}"
            )
        key = key.strip()
        if not key.isidentifier():
            first, colon, last = key.rpartition(":")
            hint = (
                f"write {name}:{first},{last}={value}" if colon else "quote a value that holds '='"
            )
            raise ConfigError(f"'{spec}': '{key}' names no option; {hint}")
        if key in options:
            raise ConfigError(f"'{spec}': option '{key}' is given twice; keep one of them")
        try:
            options[key] = load_yaml(value)
            if "#" in value and str(options[key]) != value.strip().strip("\"'"):
                raise ValueError
        except ValueError as error:
            raise ConfigError(f"'{spec}': '{value}' is not a YAML scalar; quote it") from error
    return options


def build(kind: str, spec: str, factory: Callable[..., T], *args: Any, **options: Any) -> T:
    """Call the factory of a plug-in.

    Raises:
        ConfigError: the factory has no such options, or refuses them.
        PluginError: the factory raises another error.
    """
    described = f"{kind} '{spec}' cannot be built"
    with suppress(ValueError):  # a built-in has no signature
        signature = inspect.signature(factory)
        try:
            signature.bind(*args, **options)
        except TypeError as error:
            reason = _refused(kind, signature, len(args), options)
            quote = ", and quote a value that holds a comma" if "," in spec else ""
            remedy = f"check its options{quote}"
            if not reason and (lacking := _required(signature, len(args), options)):
                reason = f"it lacks the option '{lacking[0]}'"
                value = "NAME" if lacking[0] == "field" else "VALUE"
                remedy = f"write {with_option(spec, lacking[0], value)}"
            reason = reason or f"TypeError: {error}"
            raise ConfigError(f"{described} ({reason}); {remedy}") from error
    with plugin_errors(described, "check its options"):
        return factory(*args, **options)


def _required(signature: inspect.Signature, given: int, options: Mapping[str, Any]) -> list[str]:
    """The options without a default that are not given."""
    return [
        name
        for name, parameter in list(signature.parameters.items())[given:]
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        and parameter.default is parameter.empty
        and name not in options
    ]


def _refused(
    kind: str, signature: inspect.Signature, given: int, options: Mapping[str, Any]
) -> str:
    """Why a factory cannot be called, if an option is unknown or what mirprobe gives is."""
    named = [
        name
        for name, parameter in signature.parameters.items()
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    ]
    if len(named) < given or ("root" in options and "root" not in named):
        return f"add __init__(self, {'root' if 'root' in options else 'dataset'}) to the {kind}"
    own = [name for name in named[given:] if name != "root"]
    unknown = [name for name in options if name not in (*own, "root")]
    if not unknown:
        return ""
    if not own:
        return f"it has no option '{unknown[0]}', it has none"
    close = difflib.get_close_matches(unknown[0], own, n=1)
    hint = f"; nearest: '{close[0]}'" if close else ""
    return f"it has no option '{unknown[0]}', only {', '.join(own)}{hint}"
