"""One generic registry for encoders, tasks and data sets; plug-ins arrive by entry points.

Built-ins use the same entry points as any third party's package. Names are listed without importing
what they stand for.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import yaml

from mirprobe.api.optional import positional_of
from mirprobe.core.errors import ConfigError, MirprobeError

if TYPE_CHECKING:  # these import torch, which the command line starts without
    from mirprobe.api.dataset import Dataset
    from mirprobe.api.encoder import Encoder
    from mirprobe.api.task import Task

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of an error line: the nearest known name, or all of them."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean '{close[0]}'?" if close else f"known: {', '.join(known)}"


def parse_spec(spec: str) -> tuple[str, dict[str, Any]]:
    """Split `name:key=value,key=value` into the name and its options; values are YAML scalars.

    Raises:
        ConfigError: an option without `=`, given twice, or whose value is not YAML.
    """
    name, _, rest = spec.partition(":")
    return name, parse_options(rest, spec, name)


def spec_name(spec: str) -> str:
    """The name in a specification, whatever its options."""
    return spec.partition(":")[0].strip()


def with_option(spec: str, key: str, value: object) -> str:
    """A specification with one more option."""
    return f"{spec}{',' if ':' in spec else ':'}{key}={value}"


def parse_options(
    text: str, spec: str, name: str, positional: Sequence[str] = ()
) -> dict[str, Any]:
    """Read `key=value,key=value`; values are YAML scalars.

    Args:
        text: the options.
        spec: what they stand in, for messages.
        name: what they belong to, likewise.
        positional: keys of the first options, which may leave `key=` out.

    Raises:
        ConfigError: as for `parse_spec`.
    """
    options: dict[str, Any] = {}
    for place, item in enumerate(filter(None, text.split(","))):
        key, equals, value = item.partition("=")
        if not equals and place < len(positional) and list(options) == list(positional[:place]):
            key, value = positional[place], item
        elif not equals:
            raise ConfigError(f"'{spec}': option '{item}' has no value; write {name}:{item}=VALUE")
        key = key.strip()
        if key in options:
            raise ConfigError(f"'{spec}': option '{key}' is given twice; keep one of them")
        try:
            options[key] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ConfigError(f"'{spec}': '{value}' is not a YAML scalar; quote it") from error
    return options


def build(kind: str, spec: str, factory: Callable[..., T], *args: Any, **options: Any) -> T:
    """Call a plug-in's factory.

    Raises:
        ConfigError: it refuses its options, or raises an error of its own.
    """
    try:
        return factory(*args, **options)
    except MirprobeError:
        raise
    except Exception as error:
        raise ConfigError(
            f"{kind} '{spec}' cannot be built ({type(error).__name__}: {error}); check its options"
        ) from error


class Registry(Generic[T]):
    """Factories by name: those of the entry-point group `group` and those registered in code."""

    def __init__(self, kind: str, group: str) -> None:
        self.kind = kind
        self.group = group
        self._factories: dict[str, Callable[..., T]] = {}

    def register(self, name: str) -> Callable[[F], F]:
        """Class decorator that registers a factory under `name`.

        Raises:
            ConfigError: another factory has the name. The same class defined once more, as in a
                notebook, replaces itself.
        """

        def add(factory: F) -> F:
            old = self._factories.get(name)
            if name in self._entry_points() or (old is not None and _path(old) != _path(factory)):
                raise ConfigError(
                    f"{self.kind} '{name}' is registered already; choose another name"
                )
            self._factories[name] = factory
            return factory

        return add

    def names(self) -> list[str]:
        """Every registered name, sorted; imports nothing."""
        return sorted({*self._entry_points(), *self._factories})

    def get(self, name: str) -> Callable[..., T]:
        """The factory of `name`.

        Raises:
            ConfigError: the name is unknown (with the nearest known one), two plug-ins claim one
                name, or the plug-in fails to import.
        """
        if name in self._factories:
            return self._factories[name]
        found = self._entry_points()
        if name not in found:
            raise ConfigError(f"unknown {self.kind} '{name}'; {nearest(name, self.names())}")
        point = found[name]
        try:
            factory: Callable[..., T] = point.load()
        except Exception as error:
            raise ConfigError(
                f"{self.kind} plug-in '{name}' ({_origin(point)}) fails to import: {error!r}; "
                "mend or uninstall it"
            ) from error
        return factory

    def create(self, spec: str, *args: Any, **extra: Any) -> T:
        """Build what `name:key=value,...` describes, with `args` and `extra` passed on.

        A factory's attribute `positional` names the options whose `key=` may be left out.

        Raises:
            ConfigError: as for `get` and `parse_spec`, or an option that the factory refuses.
        """
        name, _, rest = spec.partition(":")
        factory = self.get(name)
        options = parse_options(rest, spec, name, positional_of(factory))
        return build(self.kind, spec, factory, *args, **extra, **options)

    def _entry_points(self) -> dict[str, EntryPoint]:
        found: dict[str, EntryPoint] = {}
        for point in entry_points(group=self.group):
            other = found.setdefault(point.name, point)
            if other.value != point.value:
                raise ConfigError(
                    f"two plug-ins register the {self.kind} '{point.name}': {_origin(other)} and "
                    f"{_origin(point)}; uninstall one of them"
                )
        return found


def _path(factory: Callable[..., Any]) -> tuple[str, str]:
    return factory.__module__, getattr(factory, "__qualname__", repr(factory))


def _origin(point: EntryPoint) -> str:
    package = point.dist.name if point.dist else "an unknown package"
    return f"{point.value} of {package}"


ENCODERS: Registry[Encoder] = Registry("encoder", "mirprobe.encoders")
TASKS: Registry[Task] = Registry("task", "mirprobe.tasks")
DATASETS: Registry[Dataset] = Registry("data set", "mirprobe.datasets")

register_encoder = ENCODERS.register
register_task = TASKS.register
register_dataset = DATASETS.register
