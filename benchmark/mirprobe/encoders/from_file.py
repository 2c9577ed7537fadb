"""Encoders from a Python file: `path/to/file.py:Class`, without a package or an entry point.

The file is imported anew each time that it is asked for, under a name that no other file has. Its
neighbours, the modules and packages beside it, can be imported at its top; each file has its own
copy of them, so that two versions of a project can stand in one run. Unless its folder is on
`sys.path` anyway, neither folder nor neighbours stay there: an `import` of a neighbour that waits
until the encoder is called does not find it.
"""

from __future__ import annotations

import re
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import invalidate_caches
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from mirprobe.api.encoder import Encoder
from mirprobe.api.registry import build, nearest, parse_options
from mirprobe.core.errors import ConfigError
from mirprobe.core.hashing import digest

_SPEC = re.compile(r"(?P<path>[^=]*\.py)(?::(?P<factory>[^:]*)(?::(?P<options>.*))?)?", re.DOTALL)


def is_file_spec(spec: str) -> bool:
    """Whether `spec` names an encoder by its file: `.py` stands before its first `=`."""
    return _SPEC.fullmatch(spec) is not None


def file_encoder(spec: str) -> Encoder:
    """Build the encoder that `path/to/file.py:Class` or `...:Class:key=value,...` describes.

    Args:
        spec: a path, absolute or from the working directory (a leading `~` is the home folder);
            a class of the file, or a function that returns an encoder; its options, if any.

    Raises:
        ConfigError: the file is missing or fails to import, has no such class, or the class
            refuses the options.
    """
    found = _SPEC.fullmatch(spec)
    if found is None:
        raise ConfigError(f"'{spec}' names no encoder in a file; write path/to/file.py:Class")
    path, name = Path(found["path"]).expanduser(), found["factory"] or ""
    options = parse_options(found["options"] or "", spec, f"{path}:{name}")
    if not path.is_file():
        raise ConfigError(f"encoder file '{path}': no such file; check the path")
    module = _imported(path.resolve(), shown=path)
    offered = _offered(module)
    if not name:
        has = f"it has {', '.join(offered)}" if offered else "it has none"
        raise ConfigError(f"encoder file '{path}': say which class, as {path}:Class ({has})")
    factory: Any = getattr(module, name, None)
    if not callable(factory):
        hint = nearest(name, offered) if offered else "it has none"
        raise ConfigError(f"encoder file '{path}' has no class '{name}'; {hint}")
    encoder: Encoder = build("encoder", spec, factory, **options)
    return encoder


def _offered(module: ModuleType) -> list[str]:
    """What of a module may be an encoder's class or the function that makes one."""
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and callable(value)
        and getattr(value, "__module__", None) == module.__name__
    ]


def _imported(path: Path, *, shown: Path) -> ModuleType:
    """Import a file under a name of its own.

    Raises:
        ConfigError: it fails; says where and why in one line.
    """
    name = f"mirprobe_file_{re.sub(r'[^A-Za-z0-9]', '_', path.stem)}_{digest(str(path))[:8]}"
    spec = spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickle look a class's module up there
    try:
        with _beside(path.parent):
            spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise ConfigError(
            f"encoder file '{shown}' fails to import: {_place(error, path)}{type(error).__name__}: "
            f"{error}; mend it"
        ) from error
    return module


def _place(error: BaseException, path: Path) -> str:
    """Where in the file, or in a neighbour of it, an import failed."""
    if isinstance(error, SyntaxError) and error.filename:
        where, line = Path(error.filename), error.lineno
    else:
        frames = [(Path(f.filename), f.lineno) for f in traceback.extract_tb(error.__traceback__)]
        inside = [frame for frame in frames if path.parent in frame[0].parents]
        if not inside:
            return ""
        where, line = inside[-1]
    return f"line {line}: " if where == path else f"line {line} of {where.name}: "


@contextmanager
def _beside(folder: Path) -> Iterator[None]:
    """Let a file in `folder` import its neighbours, and leave no trace of them."""
    if folder in {Path(entry).resolve() for entry in sys.path}:
        yield
        return
    mine = _names(folder)
    others = {
        name: module
        for name, module in sys.modules.items()
        if mine(name) and not _lies_in(sys.modules.get(name.partition(".")[0]), folder)
    }
    before = set(sys.modules) - set(others)
    for name in others:
        del sys.modules[name]
    sys.path.insert(0, str(folder))
    invalidate_caches()  # a neighbour may have been written a moment ago
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - before:
            if mine(name):
                del sys.modules[name]
        sys.modules.update(others)


def _names(folder: Path) -> Callable[[str], bool]:
    """Whether a module of some name would be looked for in `folder`, were it first on the path.

    A folder of Python files without an `__init__.py` counts only where no proper package of its
    name is loaded, as Python itself has it.
    """
    whole = {path.stem for path in folder.glob("*.py")}
    whole |= {path.parent.name for path in folder.glob("*/__init__.py")}
    loose = {path.parent.name for path in folder.glob("*/*.py")} - whole

    def mine(name: str) -> bool:
        top = name.partition(".")[0]
        if top in loose:
            return getattr(sys.modules.get(top), "__file__", None) is None
        return top in whole

    return mine


def _lies_in(module: ModuleType | None, folder: Path) -> bool:
    file = getattr(module, "__file__", None)
    return file is not None and folder in Path(file).resolve().parents
