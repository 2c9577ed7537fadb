"""The commands `mirprobe leaderboard`: rank runs, merge and check those of others, pack one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mirprobe.cli.errors import OneLineErrors

Runs = Annotated[list[Path], typer.Argument(help="Folders of runs, or zip files of them.")]
Reference = Annotated[str | None, typer.Option(help="Encoder to compare the others with.")]
Output = Annotated[
    Path, typer.Option("--output", "-o", help="Folder of leaderboard.csv and leaderboard.md.")
]


class _RunsFirst(OneLineErrors):
    """`mirprobe leaderboard RUN...` is `mirprobe leaderboard rank RUN...`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `rank` before arguments that name no command."""
        named = not args or args[0] in (*self.commands, "--help")
        return super().parse_args(ctx, args if named else ["rank", *args])


leaderboard_app = typer.Typer(
    cls=_RunsFirst,
    help="Rank the encoders of runs: `mirprobe leaderboard RUN...` is `... rank RUN...`.",
    no_args_is_help=True,
)


@leaderboard_app.command("rank")
def leaderboard_command(
    runs: Runs,
    reference: Reference = None,
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
    output: Output = Path("results"),
) -> None:
    """Rank the encoders of one or more runs; writes leaderboard.csv and leaderboard.md."""
    from mirprobe.cli.tables import print_board, print_table
    from mirprobe.core.atomic_write import write_whole
    from mirprobe.reporting import leaderboard as boards
    from mirprobe.reporting.differences_between_runs import all_pairs
    from mirprobe.reporting.published import add_published, published_beside
    from mirprobe.reporting.stored_run import StoredRun
    from mirprobe.reporting.tables import encoders_of, to_markdown

    if agreement:
        _print_agreement(runs, output / "agreement.csv")
        return
    scores = boards.read_runs(runs)
    board = boards.leaderboard(scores, reference, all_pairs([*map(StoredRun, runs)]))
    figures = published_beside(board) if with_published else None
    whole = board if figures is None else add_published(board, figures)
    write_whole(output / "leaderboard.csv", boards.to_csv(whole).encode())
    write_whole(output / "leaderboard.md", to_markdown(board, figures, scores).encode())
    print_board(board, scores)
    facts = encoders_of(board)
    headers, cells = [name for name, _ in facts[0]], [[text for _, text in row] for row in facts]
    texts = ("encoder", "licence", "trained with labels for", "trained on")
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


@leaderboard_app.command("merge")
def merge_command(
    runs: Runs,
    output: Output,
    reference: Reference = None,
) -> None:
    """Rank runs of several people or machines together.

    Runs of other data, splits, or versions of task or metrics are refused.
    """
    from mirprobe.reporting.stored_run import StoredRun
    from mirprobe.reporting.submission import require_one_table

    require_one_table([StoredRun(run) for run in runs])
    leaderboard_command(runs, reference, output=output)


@leaderboard_app.command("check")
def check_command(
    run: Annotated[Path, typer.Argument(help="Folder of a run, or a zip file of it.")],
) -> None:
    """Check that a run can stand in the table of others; exit status 1 if it cannot.

    Complete, unchanged, without audio and weights; the scores are computed again from predictions.
    """
    from mirprobe.cli.plugins import report_checks
    from mirprobe.reporting.stored_run import StoredRun
    from mirprobe.reporting.submission import check

    report_checks(str(run), check(StoredRun(run)))


@leaderboard_app.command("pack")
def pack_command(
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="FILE.zip to write.")],
) -> None:
    """Write a run as one small zip file, with the predictions of the selected probes only.

    The file is all that others need to compare with the run. It has no audio and no weights.
    """
    from mirprobe.core.output_file import check_output
    from mirprobe.reporting.stored_run import StoredRun
    from mirprobe.reporting.submission import pack

    check_output(output, (".zip",))
    typer.echo(f"{output}: {pack(StoredRun(run), output) / 1e6:.2f} MB")
