"""The command `mirprobe compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def compare_command(
    runs: Annotated[
        list[Path],
        typer.Argument(help="Folders of runs, or zip files of them.", show_default=False),
    ],
    reference: Annotated[
        str,
        typer.Option(
            help="Encoder to compare the others with; if no run has it, the one of the reference "
            "run that comes with this package."
        ),
    ] = "vit1d",
    task: Annotated[
        list[str] | None, typer.Option(help="Compare in this task only. May be repeated.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="FILE.csv or FILE.md to write.")
    ] = None,
    diagram: Annotated[
        Path | None,
        typer.Option(help="FILE.svg or FILE.png: critical-difference diagram of each task."),
    ] = None,
) -> None:
    """Say for each encoder whether it differs from a reference, on the same test tracks.

    Runs may be of several people and machines, if their data is equal. No probe is trained.
    """
    from mirprobe.cli.tables import CONSOLE, print_table
    from mirprobe.core.atomic_write import write_whole
    from mirprobe.core.output_file import check_output
    from mirprobe.core.plotting import ENDINGS, require_matplotlib
    from mirprobe.reporting import compare_table
    from mirprobe.reporting.compare import compare
    from mirprobe.reporting.stored_run import StoredRun

    if output is not None:
        check_output(output, (".csv", ".md"))
    if diagram is not None:
        check_output(diagram, ENDINGS)
        require_matplotlib()
    opened = [StoredRun(run) for run in runs]
    table = compare(opened, reference, task or ())
    for one in compare_table.compared_tasks(table):
        texts = ("encoder", "result")
        print_table(compare_table.HEADERS, one.rows, text=texts, wrapped=texts, title=one.title)
        for note in one.notes:
            CONSOLE.print(note)
        CONSOLE.print()
    for note in compare_table.general_notes(table):
        CONSOLE.print(note)
    if output is not None:
        csv = table.to_csv(index=False, float_format="%.6g", lineterminator="\n")
        content = csv if output.suffix == ".csv" else compare_table.to_markdown(table)
        write_whole(output, content.encode())
        typer.echo(f"written: {output}")
    if diagram is not None:
        from mirprobe.reporting.critical_difference import draw

        write_whole(diagram, draw(opened, diagram.suffix))
        typer.echo(f"written: {diagram}")
