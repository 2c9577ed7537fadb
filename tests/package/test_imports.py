"""Imports run one way: each package imports only packages that stand above it in `LAYERS`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from helpers.paths import ROOT

ROOTS = [ROOT / "benchmark", ROOT / "tasks"]

LAYERS = {
    # package: the packages that it may import, beside those of its own name
    "mirprobe.core": "",
    "mirprobe.api": "core",
    "mirprobe.metrics": "core",
    "mirprobe.vit1d": "core",
    "mirprobe.data": "core api",
    "mirprobe.encoders": "core api vit1d",
    "mirprobe.embedding": "core api data encoders",
    "mirprobe.probing": "core api",
    "mirprobe.pretraining": "core vit1d",
    "mirprobe.reporting": "core api metrics probing",
    "mirprobe.evaluation": "core api metrics data encoders embedding probing reporting",
    "mirprobe.emergence": "core api metrics vit1d data encoders probing reporting evaluation",
    "mirprobe.cli": "*",
    "mirprobe.hear": "encoders vit1d",
    "mirprobe": "*",  # __init__.py: the public names
    "mirprobe_tasks.decoding": "core",
    "mirprobe_tasks.common": "core api metrics decoding",
    "mirprobe_tasks.music": "core",
    "mirprobe_tasks.datasets": "core api metrics common music",
    "mirprobe_tasks.pretraining_corpus": "core pretraining cli music datasets",
    "mirprobe_tasks": "core api metrics common decoding",  # the tasks, one file each
}
"""From bottom to top: a row can name rows above it only, so packages form no cycle."""

PRINTERS = ("mirprobe.cli", "mirprobe_tasks.pretraining_corpus.__main__")
CACHE_USERS = ("embedding", "evaluation", "cli")


def sources() -> dict[str, Path]:
    """Every module of the two source roots, by its name."""
    found = {}
    for root in ROOTS:
        for path in root.rglob("*.py"):
            parts = path.relative_to(root).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


SOURCES = sources()


def imports(source: str) -> Iterator[str]:
    """The modules that a source imports anywhere."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            module = node.module or ""
            for alias in node.names:
                whole = f"{module}.{alias.name}"
                yield whole if whole in SOURCES else module


def row(module: str) -> str:
    """The row that a module belongs to: the longest name in `LAYERS` that it begins with."""
    parts = module.split(".")
    names = [".".join(parts[:size]) for size in range(len(parts), 0, -1)]
    own = next((name for name in names if name in LAYERS), "")
    known = own and (own != "mirprobe" or module == own)
    assert known, f"{module} has no row in LAYERS"
    return own


def allowed(importer: str, module: str) -> bool:
    if module.partition(".")[0] not in ("mirprobe", "mirprobe_tasks"):
        return True
    own, other = row(importer), row(module)
    if own == other:
        return True
    if LAYERS[own] == "*":
        return other.startswith("mirprobe.")
    return other.rpartition(".")[2] in LAYERS[own].split()


def violations(module: str, source: str) -> list[str]:
    return [f"{module} imports {name}" for name in imports(source) if not allowed(module, name)]


@pytest.mark.parametrize("module", sorted(SOURCES))
def test_a_module_imports_what_its_row_allows(module: str) -> None:
    assert violations(module, SOURCES[module].read_text()) == []


def test_rows_name_rows_above_them_only_and_all_are_used() -> None:
    above: set[str] = set()
    for name, words in LAYERS.items():
        assert words == "*" or set(words.split()) <= above, name
        above.add(name.rpartition(".")[2])
    assert {row(module) for module in SOURCES} == set(LAYERS)


def test_a_row_names_only_what_is_imported() -> None:
    used = {
        (row(module), row(name).rpartition(".")[2])
        for module, path in SOURCES.items()
        for name in imports(path.read_text())
        if name.partition(".")[0] in ("mirprobe", "mirprobe_tasks")
    }
    for own, words in LAYERS.items():
        unused = [word for word in words.split() if word != "*" and (own, word) not in used]
        assert unused == [], own


def test_no_module_imports_itself_through_others() -> None:
    graph = {
        module: {name for name in imports(path.read_text()) if name in SOURCES}
        for module, path in SOURCES.items()
    }
    assert "mirprobe.evaluation.plan" in graph["mirprobe.evaluation.runner"]
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"import cycle: {' -> '.join(error.args[1])}")
    assert order.index("mirprobe.embedding.cache") < order.index("mirprobe.evaluation.runner")


def test_only_the_command_line_prints() -> None:
    printing = set()
    for module, path in SOURCES.items():
        source = path.read_text()
        if {name.partition(".")[0] for name in imports(source)} & {"typer", "rich", "click"}:
            printing.add(module)
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id != "print", f"{module}:{node.lineno} prints"
    assert all(module.startswith(PRINTERS) for module in printing)
    assert "mirprobe.cli.app" in printing


def test_only_these_packages_know_of_the_cache() -> None:
    knowing = {
        row(module)
        for module, path in SOURCES.items()
        if "mirprobe.embedding.cache" in imports(path.read_text())
    }
    assert knowing == {f"mirprobe.{name}" for name in CACHE_USERS}


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("mirprobe.data.audio", "from mirprobe.embedding.cache import Cache"),
        ("mirprobe.data.audio", "def f():\n    import mirprobe.evaluation.runner"),
        ("mirprobe.data.audio", "from mirprobe import evaluate"),
        ("mirprobe.data.audio", "import mirprobe"),
        ("mirprobe.evaluation.runner", "if True:\n    from mirprobe_tasks.key import Key"),
        ("mirprobe.cli", "import mirprobe_tasks"),
        ("mirprobe.reporting.run_folder", "from mirprobe.embedding.cache import Cache"),
        ("mirprobe.vit1d.model", "from mirprobe.api.encoder import Encoder"),
        ("mirprobe.metrics.key", "from mirprobe.api.task import Task"),
        ("mirprobe.encoders.spectral", "from mirprobe.embedding import embedder"),
        ("mirprobe.api.encoder", "from mirprobe.encoders.spectral import LogMel"),
        ("mirprobe_tasks.key", "from mirprobe.probing.cell import run_cell"),
        ("mirprobe_tasks.common.checks", "from mirprobe_tasks.key import Key"),
    ],
)
def test_a_wrong_import_is_noticed(module: str, source: str) -> None:
    assert module in SOURCES
    assert len(violations(module, source)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("mirprobe.reporting.run_folder", "from mirprobe.core.atomic_write import write_whole"),
        ("mirprobe.embedding.embedder", "from mirprobe.data import audio"),
        ("mirprobe.metrics.key", "from mirprobe.metrics.pitch_classes import PITCHES"),
        ("mirprobe_tasks.key", "import numpy\nfrom mirprobe_tasks.common.checks import required"),
    ],
)
def test_a_right_import_passes(module: str, source: str) -> None:
    assert violations(module, source) == []


def test_a_module_without_a_row_is_noticed() -> None:
    with pytest.raises(AssertionError, match=r"mirprobe\.unheard has no row"):
        violations("mirprobe.unheard", "import mirprobe.core.errors")
