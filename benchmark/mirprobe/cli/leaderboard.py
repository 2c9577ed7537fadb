"""The command `mirprobe leaderboard`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def leaderboard_command(
    runs: Annotated[list[Path], typer.Argument(help="Folders of runs, merged into one table.")],
    reference: Annotated[
        str | None, typer.Option(help="Encoder to compare the others with.")
    ] = None,
    with_published: Annotated[
        bool,
        typer.Option(
            "--with-published",
            help="Show published figures of the same task, data set and metric; never ranked.",
        ),
    ] = False,
    agreement: Annotated[
        bool,
        typer.Option(
            "--agreement",
            help="Of two runs, such as those of two data sets: show Kendall's tau of the order of "
            "their encoders instead; writes agreement.csv.",
        ),
    ] = False,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder of leaderboard.csv and leaderboard.md.")
    ] = Path("results"),
) -> None:
    """Rank the encoders of one or more runs; writes leaderboard.csv and leaderboard.md."""
    from mirprobe.cli.tables import print_board, print_table
    from mirprobe.core.atomic_write import write_whole
    from mirprobe.reporting import leaderboard as boards
    from mirprobe.reporting.published import add_published, published_beside
    from mirprobe.reporting.tables import encoders_of, to_markdown

    if agreement:
        _print_agreement(runs, output / "agreement.csv")
        return
    scores = boards.read_runs(runs)
    board = boards.leaderboard(scores, reference, boards.read_pairs(runs))
    figures = published_beside(board) if with_published else None
    whole = board if figures is None else add_published(board, figures)
    write_whole(output / "leaderboard.csv", boards.to_csv(whole).encode())
    write_whole(output / "leaderboard.md", to_markdown(board, figures, scores).encode())
    print_board(board, scores)
    facts = encoders_of(board)
    headers, cells = [name for name, _ in facts[0]], [[text for _, text in row] for row in facts]
    texts = ("encoder", "licence", "trained with labels for")
    print_table(headers, cells, text=texts, wrapped=texts, title="encoders")
    if figures is not None and figures.empty:
        typer.echo("no figure is published on these tasks, data sets and metrics")
    elif figures is not None:
        shown = figures[figures["main"]].assign(value=figures["value"].map("{:.3f}".format))
        columns = ["task", "dataset", "encoder", "metric", "value", "citation"]
        rows = shown[columns].astype(str).to_numpy().tolist()
        title = "published, not measured here"
        print_table(columns, rows, text=columns, wrapped=("dataset", "citation"), title=title)
    typer.echo(f"written: {output / 'leaderboard.csv'}, {output / 'leaderboard.md'}")


def _print_agreement(runs: list[Path], output: Path) -> None:
    from mirprobe.cli.tables import print_table
    from mirprobe.core.atomic_write import write_whole
    from mirprobe.core.errors import ConfigError
    from mirprobe.reporting.agreement import COLUMNS, agreement
    from mirprobe.reporting.stored_run import StoredRun
    from mirprobe.reporting.tables import number

    if len(runs) != 2:
        raise ConfigError(f"--agreement compares two runs, and {len(runs)} are given")
    found = agreement(*map(StoredRun, runs))
    shown = [
        [task, str(count), *(number(value) for value in values)]
        for task, count, *values in found.itertuples(index=False)
    ]
    print_table(COLUMNS, shown, text=("task",), wrapped=(), title="Kendall's tau, 95 % interval")
    write_whole(output, found.to_csv(index=False, lineterminator="\n").encode())
    typer.echo(f"written: {output}")
