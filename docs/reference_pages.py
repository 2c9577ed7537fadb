"""The reference pages, made from the code."""

from __future__ import annotations

import inspect
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import mirprobe
from mirprobe.api.encoder import EncoderInfo
from mirprobe.api.registry import DATASETS, ENCODERS, TASKS
from mirprobe.cli.options import help_texts
from mirprobe.core.markdown import markdown_table
from mirprobe.core.schema import Score
from mirprobe.evaluation.config import RunConfig
from mirprobe.evaluation.suites import registered

DATASETS_NOTE = """\
Data sets that are not generated are read from `~/mir_datasets/NAME` (`--data-home` changes the
folder). `mirprobe data list` shows which are there, `mirprobe data status NAME` what is missing and
how to get it, `mirprobe data prepare NAME` downloads or renders what can be, and `mirprobe data
check NAME` opens every file. Splits are lists in the package or follow from the data; each row of
results has their hash.
"""
NOTE = "This page is made from the code by `make docs`.\n"


def write_pages(folder: Path) -> None:
    """Write every page that has changed."""
    pages = {
        "command-line": command_line(),
        "suites": suites(),
        "encoders": encoders(),
        "tasks": tasks(),
        "datasets": datasets(),
        "columns": columns(),
        "python": python_names(),
    }
    folder.mkdir(exist_ok=True)
    for name, text in pages.items():
        path = folder / f"{name}.md"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def command_line() -> str:
    """Each command with its arguments and options, as Typer writes them."""
    words = ["mirprobe.cli.app", "utils", "docs", "--name", "mirprobe", "--title"]
    command = [sys.executable, "-m", "typer", *words, "Command line"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def suites() -> str:
    """The fields of a suite file, and the suites that are installed."""
    texts = help_texts(RunConfig)
    rows = [
        (f"`{field.name}`", _value(field.default), texts[field.name]) for field in fields(RunConfig)
    ]
    parts = ["# Suite files\n", NOTE]
    parts.append(
        "A suite is a YAML file of the options of a run: `mirprobe run --suite FILE.yaml`. A list "
        "`runs` describes several runs. Each item overrides the fields of the file.\n"
    )
    parts.append(markdown_table(("field", "default", "meaning"), rows, markup=True))
    for name, file in registered().items():
        parts.append(f"## {name}\n\n```yaml\n{file.read_text(encoding='utf-8').rstrip()}\n```\n")
    return "\n".join(parts)


def _value(default: Any) -> str:
    if default is None or default is False:
        return ""
    return f"`{', '.join(map(str, default)) if isinstance(default, tuple) else default}`"


def encoders() -> str:
    """The registered encoders, their options and licences."""
    rows = []
    for name in ENCODERS.names():
        entry: Any = ENCODERS.get(name)
        info = getattr(entry, "info", None)
        licence = info.licence if isinstance(info, EncoderInfo) else ""
        rows.append((f"`{name}`", _summary(entry), _options(entry, set()), licence))
    head = ("encoder", "what it is", "options", "licence of the weights")
    return "\n".join(["# Encoders\n", NOTE, markdown_table(head, rows, markup=True)])


def tasks() -> str:
    """The registered tasks and their metrics."""
    parts = ["# Tasks and metrics\n", NOTE]
    for name in TASKS.names():
        entry: Any = TASKS.get(name)
        parts.append(f"## {name}\n\n{_summary(entry)}\n")
        rows = [(f"`{metric}`", text) for metric, text in entry.metrics.items()]
        parts.append(markdown_table(("metric", "meaning"), rows, markup=True))
    return "\n".join(parts)


def datasets() -> str:
    """The registered data sets: size, licence, how to get them, options, known faults."""
    parts = ["# Data sets\n", NOTE, DATASETS_NOTE]
    for name in DATASETS.names():
        entry: Any = DATASETS.get(name)
        sheet = getattr(entry, "sheet", None)
        parts.append(f"## {name}\n\n{_summary(entry)}\n")
        rows = [("options", _options(entry, {"root"}))]
        if sheet is not None:
            sizes = [(sheet.tracks, "tracks"), (sheet.hours, "hours"), (sheet.gigabytes, "GB")]
            size = ", ".join(f"{number:g} {unit}" for number, unit in sizes if number is not None)
            rows += [("size", size), ("licence", sheet.licence), ("source", sheet.source)]
            rows += [("to get it", sheet.obtain), ("known faults", sheet.caution)]
        parts.append(markdown_table(("", ""), [row for row in rows if row[1]], markup=True))
        rest = inspect.cleandoc(entry.__doc__ or "").partition("\n\n")[2].partition("\n\nArgs:")[0]
        parts.append(f"{rest.partition(chr(10) * 2 + 'Raises:')[0]}\n")
    return "\n".join(parts)


def columns() -> str:
    """The columns of the files of a run."""
    rows = [(f"`{name}`", text) for name, text in help_texts(Score).items()]
    parts = ["# Files and columns\n", NOTE, "## scores.csv\n", "One row for each score.\n"]
    parts.append(markdown_table(("column", "meaning"), rows, markup=True))
    rows = [(f"`{name}`", text) for name, text in help_texts(EncoderInfo).items()]
    parts.append("## What an encoder declares\n")
    parts.append(markdown_table(("field", "meaning"), rows, markup=True))
    return "\n".join(parts)


def python_names() -> str:
    """The public names of `import mirprobe`, from their docstrings."""
    parts = ["# Python\n", NOTE, "The names below are attributes of `mirprobe`.\n"]
    for name in sorted(dir(mirprobe), key=str.lower):
        thing = getattr(mirprobe, name)
        kind = "class" if inspect.isclass(thing) else "function" if callable(thing) else "module"
        members = "" if kind == "function" else "   :members:\n"
        block = f".. auto{kind}:: mirprobe.{name}\n   :no-index:\n{members}"
        parts.append(f"## {name}\n\n```{{eval-rst}}\n{block}```\n")
    return "\n".join(parts)


def _summary(entry: Any) -> str:
    return inspect.cleandoc(entry.__doc__ or "").partition("\n\n")[0].replace("\n", " ")


def _options(factory: Any, skip: set[str]) -> str:
    """The options of a plug-in with their defaults."""
    found = [
        f"`{name}={parameter.default}`" if parameter.default is not parameter.empty else f"`{name}`"
        for name, parameter in inspect.signature(factory).parameters.items()
        if name not in skip
        and parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
    ]
    return ", ".join(found)
