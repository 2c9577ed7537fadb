"""One generic registry for encoders, tasks and data sets; plug-ins arrive by entry points.

Built-ins use the same entry points as third-party packages. Listing the names does not import the
objects.
"""

from __future__ import annotations

from collections.abc import Callable
from os.path import isfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from mirprobe.api.from_file import factory_from_file
from mirprobe.api.optional import positional_of
from mirprobe.api.specs import build, is_file_spec, nearest, parse_options
from mirprobe.core.errors import ConfigError, plugin_errors

if TYPE_CHECKING:  # these import torch, which the command line starts without
    from importlib.metadata import EntryPoint

    from mirprobe.api.dataset import Dataset
    from mirprobe.api.encoder import Encoder
    from mirprobe.api.task import Task

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


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

    def get(self, spec: str) -> Callable[..., T]:
        """The factory of a specification: `name` or `path/to/file.py:Class`, options or not.

        Raises:
            ConfigError: the name is unknown (with the nearest known one), two plug-ins have the
                same name, the plug-in fails to import, or its file has no such class.
        """
        return self._find(spec)[0]

    def summary(self, name: str) -> str:
        """The first line of a factory's docstring, and the licence of its weights if it has one.

        An encoder of this package is read from its source, since its module imports torch.

        Raises:
            ConfigError: as for `get`.
        """
        point = self._entry_points().get(name)
        if point is not None and point.module.startswith("mirprobe."):
            return _summary_in_source(point)
        entry = self.get(name)
        licence = getattr(getattr(entry, "info", None), "licence", "")
        return _summary(entry.__doc__, licence)

    def create(self, spec: str, *args: Any, **extra: Any) -> T:
        """Build the plug-in of a specification, with `args` and `extra` passed to its factory.

        Args:
            spec: `name:key=value,...` or `path/to/file.py:Class:key=value,...`. A factory's
                attribute `positional` names the options whose `key=` may be left out.
            args: positional arguments of the factory.
            extra: keyword arguments of the factory.

        Raises:
            ConfigError: as for `get` and `parse_options`, or the factory refuses an option.
        """
        factory, name, text = self._find(spec)
        options = parse_options(text, spec, name, positional_of(factory))
        return build(self.kind, spec, factory, *args, **extra, **options)

    def _find(self, spec: str) -> tuple[Callable[..., T], str, str]:
        """The factory, the specification without options, and the text of the options."""
        if is_file_spec(spec):
            return factory_from_file(self.kind, spec)
        name, _, text = spec.partition(":")
        if name in self._factories:
            return self._factories[name], name, text
        found = self._entry_points()
        if name not in found:
            hint = _meant(self.kind, spec) or nearest(name, self.names())
            raise ConfigError(f"unknown {self.kind} '{name}'; {hint}")
        point = found[name]
        what = f"{self.kind} plug-in '{name}' ({_origin(point)}) fails to import"
        with plugin_errors(what, "mend or uninstall it"):
            return point.load(), name, text

    def _entry_points(self) -> dict[str, EntryPoint]:
        from importlib.metadata import entry_points

        found: dict[str, EntryPoint] = {}
        for point in entry_points(group=self.group):
            other = found.setdefault(point.name, point)
            if other.value != point.value:
                raise ConfigError(
                    f"two plug-ins register the {self.kind} '{point.name}': {_origin(other)} and "
                    f"{_origin(point)}; uninstall one of them"
                )
        return found


def _summary_in_source(point: EntryPoint) -> str:
    import ast
    from importlib.util import find_spec

    spec = find_spec(point.module)
    assert spec is not None
    assert spec.origin is not None
    body = ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body
    (found,) = (n for n in body if isinstance(n, ast.ClassDef) and n.name == point.attr)
    calls = (node for node in ast.walk(found) if isinstance(node, ast.Call))
    licences = [ast.literal_eval(c.args[0]) for c in calls if ast.unparse(c.func) == "lazy_info"]
    return _summary(ast.get_docstring(found), *licences)


def _summary(docstring: str | None, licence: str = "") -> str:
    first = (docstring or "").strip().partition("\n")[0]
    return f"{first} [{licence}]" if licence else first


def _meant(kind: str, spec: str) -> str:
    """What was meant, where a specification or a name of it shows that; else the empty text."""
    path, _, rest = spec.partition(":")
    if kind == "encoder" and "=" in path:
        return "a name before `=` has no colon, parenthesis or quote"
    if kind == "data set" and path.endswith((".yaml", ".yml")):
        return f"did you mean 'folder:{spec}'?"
    if path.endswith((".csv", ".tsv", ".parquet")):
        return "describe the table in a YAML file, and write folder:FILE.yaml"
    if isfile(f"{path}.py") or (rest[:1].isupper() and "=" not in rest.partition(":")[0]):
        return f"did you mean '{path}.py:{rest or 'CLASS'}'?"
    return ""


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
