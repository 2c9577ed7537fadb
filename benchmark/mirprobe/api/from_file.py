"""Plug-ins from a Python file: `path/to/file.py:Class`, without a package or an entry point.

The file is executed each time that it is named, as a module with a unique name. Its folder is put
at the front of `sys.path`, so that it can import neighbours: the modules and packages in its
folder. Python loads a neighbour once per process. Two files in different folders can therefore not
both import a neighbour of the same name; the second one is refused.
"""

from __future__ import annotations

import ast
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from importlib import invalidate_caches
from importlib.util import module_from_spec, spec_from_file_location
from os.path import expanduser, isfile
from pathlib import Path
from types import ModuleType
from typing import Any

from mirprobe.api.specs import FILE_SPEC, nearest
from mirprobe.core.errors import FILE_MODULE, ConfigError, PluginError
from mirprobe.core.hashing import digest, file_digest

_neighbours: dict[str, Path] = {}  # imported by a file, perhaps only when it is called
_hashes: dict[Path, str] = {}  # of the neighbours, when they were first imported
_sources: dict[Path, str] = {}  # of each file and its neighbours, when it was last executed


def factory_from_file(kind: str, spec: str) -> tuple[Callable[..., Any], str, str]:
    """Find the class that `path/to/file.py:Class` or `...:Class:key=value,...` names.

    Args:
        kind: `encoder`, `task` or `data set`, for messages.
        spec: a path, absolute or relative to the working directory (`~` is the home folder), then a
            class or function of the file, then its options, if any.

    Returns:
        The class or function, `path/to/file.py:Class`, and the text of the options.

    Raises:
        ConfigError: the file is missing, fails to import, imports a neighbour whose name is taken,
            or has no such class.
    """
    found = FILE_SPEC.fullmatch(spec)
    if found is None:
        raise ConfigError(f"'{spec}' names no {kind} in a file; write path/to/file.py:Class")
    path, name = Path(expanduser(found["path"])), found["factory"] or ""
    if not isfile(path):
        raise ConfigError(f"{kind} file '{path}': no such file; check the path")
    module = _imported(path.resolve(), f"{kind} file '{path}'")
    classes = _factories(module)
    if not name:
        has = f"it has {', '.join(classes)}" if classes else "it has none"
        raise ConfigError(f"{kind} file '{path}': say which class, as {path}:Class ({has})")
    factory: Any = getattr(module, name, None)
    if not callable(factory):
        hint = nearest(name, classes) if classes else "it has none"
        raise ConfigError(f"{kind} file '{path}' has no class '{name}'; {hint}")
    return factory, f"{path}:{name}", found["options"] or ""


def source_digest(spec: str) -> str | None:
    """A hash of the file that a specification names and of its neighbours, as last executed.

    Args:
        spec: of an encoder, a task or a data set.

    Returns:
        None if the specification names no file, or one of which no plug-in has been built. The
        folder of the file is no part of the hash.
    """
    found = FILE_SPEC.fullmatch(spec)
    return None if found is None else _sources.get(Path(expanduser(found["path"])).resolve())


def source_files(spec: str) -> list[Path]:
    """The file that a specification names and its neighbours; empty if it names no file."""
    found = FILE_SPEC.fullmatch(spec)
    if found is None:
        return []
    path = Path(expanduser(found["path"])).resolve()
    return [path, *sorted(set(_imported_neighbours(path)[1]) - {path})]


def _factories(module: ModuleType) -> list[str]:
    """The public classes and functions that a module defines."""
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and callable(value)
        and getattr(value, "__module__", None) == module.__name__
    ]


def _imported(path: Path, shown: str) -> ModuleType:
    """Execute a file as a module with a unique name.

    Raises:
        ConfigError: it fails, with place and reason in one line; the name of a neighbour is taken,
            or a neighbour was edited after it had been imported.
    """
    import cloudpickle

    name = f"{FILE_MODULE}{re.sub(r'[^A-Za-z0-9]', '_', path.stem)}_{digest(str(path))[:8]}"
    spec = spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickle look up the module of a class there
    search_path = list(sys.path)
    try:
        imports, hashes = _imported_neighbours(path)
        _require_free(imports, path.parent, shown)
        _require_unedited(hashes, path, shown)
        sys.path[:] = [str(path.parent), *(p for p in sys.path if p != str(path.parent))]
        invalidate_caches()  # a neighbour may have been written a moment ago
        spec.loader.exec_module(module)
        # another process cannot import the module by its name
        cloudpickle.register_pickle_by_value(module)
        _neighbours.update(imports)
        _hashes.update((file, found) for file, found in hashes.items() if file != path)
        beside = {f.relative_to(path.parent).as_posix(): h for f, h in hashes.items() if f != path}
        _sources[path] = digest(hashes[path], beside)
    except BaseException as error:
        del sys.modules[name]
        sys.path[:] = search_path
        if isinstance(error, ConfigError | KeyboardInterrupt):
            raise
        raise PluginError(
            f"{shown} fails to import: {_place(error, path)}{type(error).__name__}: {error}; fix it"
        ) from error
    return module


def _place(error: BaseException, path: Path) -> str:
    """The line of the file, or of a neighbour, at which an import failed."""
    if isinstance(error, SyntaxError) and error.filename:
        where, line = Path(error.filename), error.lineno
    else:
        frames = [(Path(f.filename), f.lineno) for f in traceback.extract_tb(error.__traceback__)]
        inside = [frame for frame in frames if path.parent in frame[0].parents]
        if not inside:
            return ""
        where, line = inside[-1]
    return f"line {line}: " if where == path else f"line {line} of {where.name}: "


def _imported_neighbours(path: Path) -> tuple[dict[str, Path], dict[Path, str]]:
    """What a file imports from beside it, itself or through other neighbours.

    Returns:
        Name -> file of the neighbours; the hash of the file and of each file of a neighbour.

    Raises:
        SyntaxError: a file is not Python.
    """
    found: dict[str, Path] = {}
    hashes: dict[Path, str] = {}
    waiting = [path]
    while waiting:
        file = waiting.pop()
        hashes[file] = file_digest(file)
        for name in _imported_names(file):
            neighbour = _neighbour(path.parent, name)
            if neighbour is not None and name not in found:
                found[name] = neighbour
                whole = neighbour.parent if neighbour.name == "__init__.py" else neighbour
                waiting += sorted(whole.rglob("*.py")) if whole.is_dir() else [whole]
    return found, hashes


def _imported_names(path: Path) -> Iterator[str]:
    """The top-level names of the absolute imports anywhere in a file."""
    for node in ast.walk(ast.parse(path.read_bytes(), str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module.partition(".")[0]


def _neighbour(folder: Path, name: str) -> Path | None:
    """The file of a module in `folder`, or the folder of a package without `__init__.py`."""
    for file in (folder / name / "__init__.py", folder / f"{name}.py"):
        if file.is_file():
            return file
    package = folder / name
    return package if package.is_dir() and any(package.glob("*.py")) else None


def _require_free(imports: dict[str, Path], folder: Path, shown: str) -> None:
    """Refuse a file if another module would be used for one of its neighbours, or vice versa.

    Raises:
        ConfigError: names the module, and the file that has its name.
    """
    for name, file in imports.items():
        for loaded in _loaded(name, file):
            raise ConfigError(
                f"{shown} imports '{name}' from beside it, but a module '{name}' of {loaded} is "
                "loaded; rename one"
            )
    for name, file in _neighbours.items():
        # its folder comes after this one now: an import that waits for a call would find this one
        own = _neighbour(folder, name)
        if own not in (None, file) and (name in imports or name not in sys.modules):
            raise ConfigError(
                f"{shown} has '{name}' beside it, but another file imports the module '{name}' of "
                f"{file}; rename one"
            )


def _require_unedited(hashes: dict[Path, str], path: Path, shown: str) -> None:
    """Refuse a file if Python would go on using a neighbour as it was before an edit.

    Raises:
        ConfigError: names the neighbour.
    """
    for file, found in hashes.items():
        name = file.relative_to(path.parent).parts[0].removesuffix(".py")
        if file != path and name in sys.modules and _hashes.get(file, found) != found:
            raise ConfigError(
                f"{shown} imports '{file.name}' from beside it, which was edited after this "
                "process had loaded it; start Python again"
            )


def _loaded(name: str, file: Path) -> Iterator[object]:
    """The files of loaded modules that an import of the neighbour `file` would find instead."""
    module = sys.modules.get(name)
    if module is None:
        return
    origin = getattr(module, "__file__", None)
    if file.is_dir():  # a regular package of this name has precedence, as always in Python
        if origin is None:
            for inner, loaded in list(sys.modules.items()):
                inside = getattr(loaded, "__file__", None)
                if (
                    inner.startswith(f"{name}.")
                    and inside
                    and file not in Path(inside).resolve().parents
                ):
                    yield inside
    elif origin is None or Path(origin).resolve() != file.resolve():
        yield origin or "Python itself"
