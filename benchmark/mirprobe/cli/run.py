"""The command `mirprobe run`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from mirprobe.cli import options
from mirprobe.cli.errors import one_line_errors
from mirprobe.cli.options import report_left_out
from mirprobe.core.errors import MirprobeError, StorageError

if TYPE_CHECKING:
    from mirprobe.evaluation.config import RunConfig
    from mirprobe.evaluation.runner import RunResult

WIDTH = 100


def run_command(
    encoder: options.Encoder = None,
    task: options.Task = None,
    dataset: options.Dataset = None,
    train_dataset: options.TrainDataset = None,
    test_dataset: options.TestDataset = None,
    test_tracks: options.TestTracks = None,
    size: options.Size = None,
    layers: options.Layers = None,
    probe: Annotated[str | None, typer.Option(help="linear (default) or mlp.")] = None,
    preset: Annotated[str | None, typer.Option(help="standard (default) or paper.")] = None,
    pca: options.Pca = None,
    seed: Annotated[
        list[int] | None, typer.Option(help="Of the probes; may be repeated, default 0.")
    ] = None,
    device: options.Device = None,
    dtype: options.Dtype = None,
    precision: options.Precision = None,
    engine: options.Engine = None,
    limit: options.Limit = None,
    strict: options.Strict = None,
    data_home: options.DataHome = None,
    cache_dir: options.CacheDir = None,
    results_dir: Annotated[Path | None, typer.Option(help="Default: results.")] = None,
    suite: options.Suite = None,
) -> None:
    """Score encoders on tasks and print the leaderboard.

    Without options: the suite `quick`, five encoders on four tasks of the data set `studio`.

    A run that cannot be done does not cost a suite its other runs: all reasons stand at the end,
    and the exit status is 1.
    """
    given = dict(locals())
    from mirprobe.evaluation.config import make_config
    from mirprobe.evaluation.suites import load_suite

    with one_line_errors():
        del given["suite"]
        values = options.fields_of(given)
        if suite is None:
            _run_one(make_config(values))
            return
        configs = load_suite(suite, values)
        if len(configs) == 1:
            _run_one(configs[0])
        else:
            _run_all(configs)


def _run_one(config: RunConfig) -> None:
    """Run and print.

    Raises:
        MirprobeError: it cannot be done, or an encoder or a cell failed.
    """
    from mirprobe.evaluation.runner import run

    result = run(config)
    _report([result])
    if result.failures:
        raise MirprobeError("; ".join(result.failures.values()))


def _run_all(configs: Sequence[RunConfig]) -> None:
    """Run one after the other and print what came of all.

    Raises:
        Exit: with status 1, after a line for each that cannot be done and for each failure.
        StorageError: cache or results cannot be written, which no other run could either.
    """
    from mirprobe.evaluation.runner import run

    results, reasons = [], []
    for config in configs:
        title = f"{', '.join(config.tasks)} on {config.data}"
        try:
            result = run(config)
        except StorageError:
            raise
        except MirprobeError as error:
            reasons.append(f"{title}: {error}")
            continue
        results.append(result)
        reasons += [f"{title}: {failure}" for failure in result.failures.values()]
    _report(results)
    for reason in reasons:
        typer.echo(f"error: {' '.join(reason.split())}", err=True)
    if reasons:
        raise typer.Exit(1)


def _report(results: Sequence[RunResult]) -> None:
    """One leaderboard of all runs, what was left out of them, and where they lie."""
    from mirprobe.reporting.leaderboard import merge

    tables = [result.scores for result in results if len(result.scores)]
    if tables:
        _print_board(merge(tables))
    report_left_out(results)
    for result in results:
        typer.echo(f"scores and predictions: {result.folder.path}")


def _print_board(scores: Any) -> None:
    from mirprobe.reporting.leaderboard import leaderboard, mean_ranks, rows_of

    console = Console(width=WIDTH, highlight=False, markup=False, emoji=False)
    board = leaderboard(scores)
    for title, rows in rows_of(board):
        table = Table(title=title, title_justify="left", box=None, pad_edge=False)
        for header, _ in rows[0]:
            # a name that is too long goes on in the next line; it is never cut
            whole = header not in _LONG
            justify: Any = "left" if header in _TEXT else "right"
            table.add_column(header, justify=justify, no_wrap=whole, overflow="fold")
        for row in rows:
            table.add_row(*(text for _, text in row))
        console.print(table)
        console.print()
    ranks = mean_ranks(board)
    if ranks:
        console.print("mean rank: " + ", ".join(f"{name} {rank}" for name, rank in ranks.items()))


_TEXT = ("encoder", "layer", "decoding")
_LONG = ("encoder", "layer")
