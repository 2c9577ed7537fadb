"""Data flows one way, and so do the imports: one table says what each module may know of.

The rows of `MAY_IMPORT` run from the bottom to the top. A row is a module, or a package with all
that no row of its own has; it may import what it names, and can name rows above its own line alone,
so that no cycle is possible. `EVERYTHING` stands for all of them. `module:name` allows one name.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOTS = [Path(__file__).parents[1] / "benchmark", Path(__file__).parents[1] / "tasks"]
EVERYTHING = "*"

MAY_IMPORT = {
    # what every part speaks
    "mirprobe.errors": "",
    "mirprobe.fingerprint": "",
    "mirprobe.files": "errors",
    "mirprobe.schema": "",
    "mirprobe.peaks": "schema",
    # pure functions and the model, which know nothing of the harness
    "mirprobe.metrics": "schema",
    "mirprobe.vit1d": "errors files fingerprint",
    # what plug-ins promise. A registry's entries are typed by it, and so stand above it.
    "mirprobe.dataset": "schema",
    "mirprobe.encoders.protocol": "schema",
    "mirprobe.encoders.about": "encoders.protocol errors",
    "mirprobe.task": "metrics schema",
    "mirprobe.registry": "dataset encoders.protocol errors task",
    "mirprobe.encoders.files": (
        "encoders.protocol errors fingerprint registry:build registry:nearest "
        "registry:parse_options"
    ),
    # single steps: none knows that there is a cache, a run or a result
    "mirprobe.annotations": "errors schema",
    "mirprobe.audio": "errors schema",
    "mirprobe.windows": "encoders.protocol errors schema",
    "mirprobe.calls": "encoders.protocol errors schema windows:check_frames",
    "mirprobe.encoders.combined": (
        "calls encoders.about encoders.protocol errors fingerprint schema"
    ),
    "mirprobe.encoders.specs": (
        "encoders.files encoders.combined encoders.protocol errors registry"
    ),
    "mirprobe.speed": "calls encoders.protocol errors files fingerprint windows:call_size",
    "mirprobe.timing": "calls encoders.protocol errors schema windows",
    "mirprobe.promises": "calls encoders.protocol",
    "mirprobe.validation": "calls encoders.protocol errors promises schema timing windows",
    "mirprobe.repeat": "calls:difference calls:row errors schema",
    "mirprobe.encoders.pretrained": "encoders.about errors fingerprint schema",
    "mirprobe.encoders": "encoders.about encoders.protocol errors fingerprint schema vit1d",
    "mirprobe.hear": "encoders fingerprint vit1d windows",
    "mirprobe.examples": "schema",
    "mirprobe.probes": "errors examples registry:nearest schema",
    "mirprobe.projection": "errors examples schema",
    "mirprobe.scoring": "annotations metrics schema task",
    "mirprobe.cell": (
        "annotations errors examples probes projection registry:nearest schema scoring task"
    ),
    # the cache, and all that know of it
    "mirprobe.remote": "errors",
    "mirprobe.cache": "errors files fingerprint remote schema",
    "mirprobe.upkeep": "cache",
    "mirprobe.embed": (
        "audio cache calls encoders.protocol errors fingerprint repeat schema windows"
    ),
    "mirprobe.results": "scoring:CellResult errors files fingerprint schema",
    "mirprobe.differences": "annotations metrics results:DIFFERENCES schema scoring:worth task",
    "mirprobe.published": "",
    "mirprobe.ranking": "errors published registry:nearest results",
    # what puts the steps together
    "mirprobe.places": "errors registry",
    "mirprobe.combine": "dataset errors schema",
    "mirprobe.config": (
        "calls:Precision combine:TEST_TRACKS embed:Dtype errors places:DATA_HOME probes "
        "registry:nearest remote"
    ),
    "mirprobe.admission": (
        "combine config dataset encoders.protocol errors places registry remote:folder_of schema "
        "task"
    ),
    "mirprobe.provenance": (
        "admission annotations config encoders.about encoders.protocol fingerprint probes schema "
        "task"
    ),
    "mirprobe.worker": "cache calls:Precision embed encoders.specs errors",
    "mirprobe.cluster": "cache embed errors schema worker",
    "mirprobe.extract": (
        "admission cache cluster config dataset embed encoders.specs encoders.combined:Pca "
        "encoders.protocol errors registry:nearest schema speed"
    ),
    "mirprobe.holdings": (
        "admission annotations audio dataset errors places provenance registry schema task"
    ),
    "mirprobe.runner": (
        "admission cell config dataset differences encoders.combined:Pca encoders.protocol errors "
        "extract fingerprint places:joined_specs probes provenance registry results schema task"
    ),
    "mirprobe.suites": "config errors registry:nearest",
    "mirprobe.api": "admission config dataset encoders.protocol errors runner schema task",
    "mirprobe.emergence": (
        "admission annotations audio config dataset encoders "
        "encoders.protocol errors files fingerprint metrics peaks probes:threads provenance "
        "registry:TASKS registry:nearest results runner schema scoring:worth task vit1d windows"
    ),
    "mirprobe.curves": "emergence errors",
    # the faces of the house
    "mirprobe.cli.errors": "errors",
    "mirprobe.cli.options": "extract registry:with_option runner",
    "mirprobe.cli.data": "cli.errors holdings results:write_splits remote:folder_of",
    "mirprobe.cli.emergence": "cli.errors config emergence files registry:with_option vit1d",
    "mirprobe.cli.pretrain": "cli.errors curves emergence errors files vit1d",
    "mirprobe.cli.extract": "cli.errors cli.options config errors extract suites",
    "mirprobe.cli.run": "cli.errors cli.options config errors ranking runner suites",
    "mirprobe.cli.validate": "cli.errors config encoders.specs validation",
    "mirprobe.cli": EVERYTHING,
    "mirprobe": EVERYTHING,  # __init__.py alone: it collects the public names
    # plug-ins know the words and the metrics, not the machine that runs them
    # (those that make a bank for pretraining also know the bank and how a program ends)
    "mirprobe_tasks": (
        "audio cli.errors:one_line_errors dataset errors files fingerprint metrics peaks "
        "registry:nearest schema task vit1d"
    ),
}

PRINTERS = {
    "mirprobe.cli",
    "mirprobe.cli.data",
    "mirprobe.cli.emergence",
    "mirprobe.cli.errors",
    "mirprobe.cli.extract",
    "mirprobe.cli.options",
    "mirprobe.cli.pretrain",
    "mirprobe.cli.run",
    "mirprobe.cli.validate",
    "mirprobe_tasks.pretraining.__main__",
}


def sources() -> dict[str, Path]:
    """Every module of the two source roots, by its name."""
    found = {}
    for root in ROOTS:
        for path in root.rglob("*.py"):
            parts = path.relative_to(root).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


SOURCES = sources()


def imports(source: str, known: set[str]) -> Iterator[tuple[str, str]]:
    """(module, name) of each import anywhere in a module's source; the name may be empty.

    Args:
        source: the text.
        known: all modules of the house, to tell `from package import module` from a name.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            module = node.module or ""
            for alias in node.names:
                whole = f"{module}.{alias.name}"
                yield (whole, "") if whole in known else (module, alias.name)


def row(module: str) -> str:
    """The row that a module belongs to."""
    name = module
    while name not in MAY_IMPORT or (name == "mirprobe" != module):
        name = name.rpartition(".")[0]
        assert name, f"{module} has no row in MAY_IMPORT: say what it may import"
    return name


def allowed(importer: str, module: str, name: str) -> bool:
    """Whether `importer` may import `name` (or all, where it is empty) of `module`."""
    if module.partition(".")[0] not in ("mirprobe", "mirprobe_tasks"):
        return True
    own, other = row(importer), row(module)
    if own == other:
        return True
    rows = list(MAY_IMPORT)
    if MAY_IMPORT[own] == EVERYTHING:
        return rows.index(other) < rows.index(own)
    short = other.removeprefix("mirprobe.")
    return bool({short, f"{short}:{name}"} & set(MAY_IMPORT[own].split()))


def violations(module: str, source: str) -> list[str]:
    return [
        f"{module} imports {imported}{f':{name}' if name else ''}"
        for imported, name in imports(source, set(SOURCES))
        if not allowed(module, imported, name)
    ]


@pytest.mark.parametrize("module", sorted(SOURCES))
def test_a_module_imports_what_its_row_allows(module: str) -> None:
    assert violations(module, SOURCES[module].read_text()) == []


def test_rows_name_rows_above_them_alone() -> None:
    above: list[str] = []
    for name, words in MAY_IMPORT.items():
        if words != EVERYTHING:
            for word in words.split():
                assert f"mirprobe.{word.partition(':')[0]}" in above, f"{name}: {word}"
        above.append(name)


def test_rows_and_words_are_of_use() -> None:
    used = {row(module) for module in SOURCES}
    assert used == set(MAY_IMPORT)


def test_no_module_imports_itself_through_others() -> None:
    graph = {
        module: {name for name, _ in imports(path.read_text(), set(SOURCES)) if name in SOURCES}
        for module, path in SOURCES.items()
    }
    assert "mirprobe.extract" in graph["mirprobe.runner"]
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"import cycle: {' -> '.join(error.args[1])}")
    assert order.index("mirprobe.cache") < order.index("mirprobe.runner")


def test_only_the_command_line_prints() -> None:
    printing = set()
    for module, path in SOURCES.items():
        source = path.read_text()
        for imported, _ in imports(source, set(SOURCES)):
            if imported.partition(".")[0] in ("typer", "rich", "click"):
                printing.add(module)
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id != "print", f"{module}:{node.lineno} prints"
    assert printing <= PRINTERS
    assert "mirprobe.cli" in printing


def test_only_these_know_of_the_cache() -> None:
    knowing = {
        module
        for module, path in SOURCES.items()
        for imported, _ in imports(path.read_text(), set(SOURCES))
        if imported == "mirprobe.cache"
    }
    assert knowing == {
        f"mirprobe.{name}" for name in ("embed", "upkeep", "worker", "cluster", "extract", "cli")
    }


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("mirprobe.audio", "from mirprobe.cache import Cache"),
        ("mirprobe.audio", "def f():\n    import mirprobe.runner"),
        ("mirprobe.audio", "from mirprobe import cache"),
        ("mirprobe.audio", "from mirprobe import evaluate"),
        ("mirprobe.audio", "import mirprobe"),
        ("mirprobe.runner", "if True:\n    from mirprobe_tasks.key import Key"),
        ("mirprobe.cli", "import mirprobe_tasks"),
        ("mirprobe.results", "from mirprobe.cache import Cache"),
        ("mirprobe.vit1d.model", "from mirprobe.schema import Tokens"),
        ("mirprobe.metrics.key", "from mirprobe.errors import TrackError"),
        ("mirprobe.encoders.spectral", "from mirprobe import embed"),
        ("mirprobe.encoders.protocol", "from mirprobe.encoders.spectral import LogMel"),
        ("mirprobe_tasks.key", "from mirprobe.cell import run_cell"),
    ],
)
def test_a_wrong_import_is_noticed(module: str, source: str) -> None:
    assert module in SOURCES
    assert len(violations(module, source)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("mirprobe.results", "from mirprobe.files import write_whole"),
        ("mirprobe.embed", "from mirprobe import audio"),
        ("mirprobe.metrics.key", "from mirprobe.metrics.pitches import PITCHES"),
        ("mirprobe_tasks.key", "import numpy\nfrom mirprobe_tasks.checks import required"),
    ],
)
def test_a_right_import_passes(module: str, source: str) -> None:
    assert violations(module, source) == []


def test_a_module_without_a_row_is_noticed() -> None:
    with pytest.raises(AssertionError, match=r"mirprobe\.unheard has no row"):
        violations("mirprobe.unheard", "import mirprobe.errors")
