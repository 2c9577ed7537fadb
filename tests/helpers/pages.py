"""The code blocks of a page in Markdown, and how a reader would execute them.

- `python` is executed, `sh` holds commands of `mirprobe` and is executed, line by line.
- A block of any language whose first line is the comment `# NAME` is a file: it is written.
- ```` ```sh needs=... ```` and ```` ```python needs=... ```` cannot be executed in a test (a GPU, a
  download): commands are only parsed.
- ```` ```sh slow ```` is executed if MIRPROBE_SLOW_PAGES is in the environment, else parsed.
- `text` shows output; `toml` and the directives of Sphinx are not executed.
"""

from __future__ import annotations

import logging
import os
import re
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from glob import glob
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from mirprobe.cli.app import app

FENCE = re.compile(r"^```([\w{}-]*)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# ([\w/.-]+\.\w+)\b.*\n")
SHOWN = ("text", "toml", "bibtex")
SLOW = bool(os.environ.get("MIRPROBE_SLOW_PAGES"))


@dataclass(frozen=True)
class Block:
    """A code block.

    Attributes:
        language: as after the fence.
        note: the rest of that line.
        text: of the block.
    """

    language: str
    note: str
    text: str


def blocks_of(page: Path) -> list[Block]:
    """The code blocks of a page, without directives of Sphinx."""
    found = FENCE.findall(page.read_text(encoding="utf-8"))
    return [Block(name, note.strip(), text) for name, note, text in found if "{" not in name]


def commands_of(text: str) -> Iterator[list[str]]:
    """The words of each command of a block."""
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if words:
            yield words


def follow(page: Path) -> str:
    """Execute the blocks of a page in the working directory; returns what the commands print."""
    loggers = [logging.getLogger(name) for name in ("mirprobe", "mirprobe_tasks")]
    before = [dict(vars(logger)) for logger in loggers], list(sys.path), set(sys.modules)
    try:
        return "\n".join(_follow(page))
    finally:
        for logger, own in zip(loggers, before[0], strict=True):
            vars(logger).update(own)
        sys.path[:] = before[1]
        for name in set(sys.modules) - before[2]:
            if getattr(sys.modules[name], "__file__", None) and _is_here(sys.modules[name]):
                del sys.modules[name]


def _is_here(module: Any) -> bool:
    """Whether a module is a file of the page."""
    return Path(module.__file__).resolve().is_relative_to(Path.cwd())


def _follow(page: Path) -> Iterator[str]:
    names: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks_of(page):
        file = FILE.match(block.text)
        if file is not None:
            Path(file[1]).parent.mkdir(parents=True, exist_ok=True)
            Path(file[1]).write_text(block.text, encoding="utf-8")
        elif block.language == "sh":
            executed = not block.note or (SLOW and block.note == "slow")
            for words in commands_of(block.text):
                if executed:
                    yield execute(words)
                elif words[0] == "mirprobe":
                    parse(words[1:])
        elif block.language == "python" and not block.note:
            exec(compile(block.text, f"{page.name}: python", "exec"), names)
        elif block.language != "python":
            assert block.language in SHOWN, f"{page}: '{block.language}' is no language of a block"


def execute(words: list[str]) -> str:
    """The output of a command of mirprobe; it must succeed."""
    if words[0] == "PYTHONPATH=.":
        sys.path.insert(0, str(Path.cwd()))
        del words[0]
    assert words[0] == "mirprobe", f"{' '.join(words)}: mark the block with needs=..."
    found = [sorted(glob(word)) or [word] if "*" in word else [word] for word in words[1:]]
    result = CliRunner().invoke(app, [word for one in found for word in one])
    if result.exit_code:
        pytest.fail(f"{' '.join(words)}\n{result.output}\n{result.exception!r}")
    return result.output


def parse(words: list[str]) -> None:
    """Fail if the command line does not know the command or an option."""
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands"):
        if words[0] not in command.commands and "rank" in command.commands:
            words = ["rank", *words]  # `mirprobe leaderboard RUN`
        command, words = command.commands[words[0]], words[1:]
    known = {option for parameter in command.params for option in parameter.opts}
    for word in words:
        if word.startswith("-") and not word.lstrip("-").isdigit():
            assert word.partition("=")[0] in {*known, "--help"}, f"{word} is no option"
