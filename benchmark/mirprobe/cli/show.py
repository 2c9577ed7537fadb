"""The commands that show finished runs: `mirprobe report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mirprobe.core.errors import ConfigError

Runs = Annotated[list[Path], typer.Argument(help="Folders of runs, shown together.")]
Tasks = Annotated[
    list[str] | None, typer.Option("--task", help="Task to show; repeat it. Default: all.")
]
Rename = Annotated[
    list[str] | None,
    typer.Option("--rename", help="Show an encoder under another name: OLD=NEW; repeat it."),
]


def report_command(
    runs: Runs,
    task: Tasks = None,
    rename: Rename = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="File of the page, such as report.html.")
    ] = Path("report.html"),
) -> None:
    """Write a page with leaderboard, comparisons, figures and test tracks of one or more runs.

    The page is one HTML file that needs no network.
    """
    from mirprobe.reporting.compared import compared
    from mirprobe.reporting.report.page import write_report

    write_report(compared(runs, task or (), renamed(rename)), output)
    typer.echo(f"written: {output}")


def renamed(options: list[str] | None) -> dict[str, str]:
    """`OLD=NEW`, ... as old -> new; an option of a specification may contain `=` too.

    Raises:
        ConfigError: a text without `=`, or without a name on one of its sides.
    """
    found = {}
    for option in options or ():
        old, _, new = option.rpartition("=")
        if not old or not new:
            raise ConfigError(f"--rename '{option}': give OLD=NEW")
        found[old] = new
    return found
