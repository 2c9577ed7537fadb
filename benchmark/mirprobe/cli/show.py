"""The commands that show finished runs: `mirprobe report`, `plot` and `table`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast

import typer

from mirprobe.core.errors import ConfigError

LARGE = 5  # megabytes that a browser opens at once and a mail carries
Runs = Annotated[list[Path], typer.Argument(help="Folders of runs, or zip files of them.")]
Tasks = Annotated[
    list[str] | None,
    typer.Option(
        help="Tasks to show, in this order, such as key,chord. May be repeated. Default: all."
    ),
]
Rename = Annotated[
    list[str] | None,
    typer.Option("--rename", help="Show an encoder under another name: OLD=NEW. May be repeated."),
]


def report_command(
    runs: Runs,
    tasks: Tasks = None,
    rename: Rename = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="File of the page, such as report.html.")
    ] = Path("report.html"),
) -> None:
    """Write a page with leaderboard, comparisons, figures and test tracks of one or more runs.

    The page is one HTML file that needs no network.
    """
    from mirprobe.core.output_file import check_output
    from mirprobe.reporting.report.page import write_report
    from mirprobe.reporting.run_collection import collect_runs

    check_output(output, (".html", ".htm"))
    write_report(collect_runs(runs, names_of(tasks), renamed(rename)), output)
    typer.echo(f"written: {output}")
    megabytes = output.stat().st_size / 1e6
    if megabytes > LARGE:
        typer.echo(
            f"it has {megabytes:.0f} MB: a browser may open it slowly; --tasks shows fewer tasks"
        )


def plot_command(
    kind: Annotated[
        str,
        typer.Argument(
            help="layers, scores, differences, confusion, cost, few-labels or perturbed."
        ),
    ],
    runs: Runs,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="File of the figure: .pdf, .svg or .png.")
    ],
    tasks: Tasks = None,
    rename: Rename = None,
    reference: Annotated[
        str | None,
        typer.Option(help="Encoder that `differences` compares with. Default: the best."),
    ] = None,
    caption: Annotated[bool, typer.Option(help="Write the caption below the figure.")] = True,
) -> None:
    """Draw a figure of one or more runs, shown together.

    Figures have the width of two columns of a paper.
    """
    from mirprobe.core.atomic_write import write_whole
    from mirprobe.core.output_file import check_output
    from mirprobe.core.plotting import ENDINGS, render, style
    from mirprobe.reporting.figures.plot import plot

    check_output(output, ENDINGS)
    figure = plot(
        kind, runs, tasks=names_of(tasks), rename=renamed(rename), reference=reference,
        caption=caption,
    )  # fmt: skip
    with style():
        write_whole(output, render(figure, output.suffix, dpi=300))
    typer.echo(f"written: {output}")


def table_command(
    runs: Runs,
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="latex, markdown, html, csv or parquet. Default: by the ending of --output, or "
            "markdown.",
        ),
    ] = None,
    tasks: Tasks = None,
    metrics: Annotated[
        list[str] | None,
        typer.Option(
            help="Metrics to show, such as majmin,root. May be repeated. Default: the main ones."
        ),
    ] = None,
    rename: Rename = None,
    spread: Annotated[
        str,
        typer.Option(
            help="Beside each value: its 95 % interval, the standard deviation over the fitted "
            "probes (fits), or none."
        ),
    ] = "interval",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File, such as paper.tex. Default: print the table."),
    ] = None,
) -> None:
    """Make a table of encoders and tasks for a paper.

    Bold: the best encoder of each task and those that do not differ significantly from it. LaTeX
    needs the packages booktabs and multirow. CSV and Parquet have one row for each number.
    """
    from mirprobe.core.atomic_write import write_whole
    from mirprobe.core.output_file import check_output
    from mirprobe.reporting.paper_table import ENDINGS, Spread, paper_table
    from mirprobe.reporting.run_collection import collect_runs

    if output is not None:
        check_output(output, [output.suffix.lower()] if form else [*ENDINGS])
        form = form or ENDINGS[output.suffix.lower()]
    form = form or "markdown"
    if form == "parquet" and output is None:
        raise ConfigError("Parquet is no text; name a file with --output")
    shown = collect_runs(runs, names_of(tasks), renamed(rename))
    content = paper_table(shown, form, names_of(metrics), cast("Spread", spread))
    if output is None:
        typer.echo(content.decode(), nl=False)
    else:
        write_whole(output, content)
        typer.echo(f"written: {output}")


def names_of(texts: list[str] | None) -> list[str]:
    """Names that commas separate."""
    return [name.strip() for text in texts or () for name in text.split(",") if text]


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
        if old in found:
            raise ConfigError(f"--rename '{option}': '{old}' has another name already; drop one")
        found[old] = new
    return found
