"""The command `mirprobe run`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from mirprobe.cli_errors import one_line_errors
from mirprobe.errors import MirprobeError, StorageError

if TYPE_CHECKING:
    from mirprobe.config import RunConfig
    from mirprobe.runner import RunResult

WIDTH = 100


def run_command(
    encoder: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME or FILE.py:CLASS, with options :option=value,..., or a combination such as "
            "concat(A,B), layers(A,4,8), pool(A,5); may be repeated."
        ),
    ] = None,
    task: Annotated[list[str] | None, typer.Option(help="NAME; may be repeated.")] = None,
    dataset: Annotated[
        str | None,
        typer.Option(help="NAME or NAME:option=value,...; A+B joins two. Default: studio."),
    ] = None,
    train_dataset: Annotated[
        str | None, typer.Option(help="Train and validate on this one, instead of --dataset ...")
    ] = None,
    test_dataset: Annotated[str | None, typer.Option(help="... and test on this one.")] = None,
    test_tracks: Annotated[
        str | None,
        typer.Option(help="Of --test-dataset: all (default), or those of its split test."),
    ] = None,
    size: Annotated[int | None, typer.Option(help="Pieces in the data set `studio`.")] = None,
    layers: Annotated[
        str | None, typer.Option(help="thirds (default), all, or names: 4,8,12.")
    ] = None,
    probe: Annotated[str | None, typer.Option(help="linear (default) or mlp.")] = None,
    preset: Annotated[str | None, typer.Option(help="standard (default) or paper.")] = None,
    seed: Annotated[
        list[int] | None, typer.Option(help="Of the probes; may be repeated, default 0.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="auto (default), cpu, cuda, mps.")] = None,
    dtype: Annotated[
        str | None, typer.Option(help="Of cached embeddings: float16 (default) or float32.")
    ] = None,
    precision: Annotated[
        str | None, typer.Option(help="Of encoders' arithmetic: 32 (default), bf16, fp16, auto.")
    ] = None,
    limit: Annotated[int | None, typer.Option(help="At most so many tracks a split.")] = None,
    strict: Annotated[
        bool | None, typer.Option("--strict", help="A track that cannot be used ends the run.")
    ] = None,
    data_home: Annotated[
        Path | None,
        typer.Option(help="Data sets, one folder each. Default: ~/mir_datasets."),
    ] = None,
    cache_dir: Annotated[Path | None, typer.Option(help="Default: embeddings_cache.")] = None,
    results_dir: Annotated[Path | None, typer.Option(help="Default: results.")] = None,
    suite: Annotated[
        str | None,
        typer.Option(
            help="Name (see `mirprobe list suites`) or YAML file of these fields. Options win "
            "over it; of a suite of several runs, --task chooses those that have the task."
        ),
    ] = None,
) -> None:
    """Score encoders on tasks and print the leaderboard.

    Without options: the suite `quick`, five encoders on four tasks of the data set `studio`.

    A run that cannot be done does not cost a suite its other runs: all reasons stand at the end,
    and the exit status is 1.
    """
    from mirprobe.config import make_config
    from mirprobe.registry import with_option
    from mirprobe.suites import load_suite

    with one_line_errors():
        if size is not None:
            dataset = with_option(dataset or "studio", "size", size)
        given: dict[str, Any] = {
            "encoders": encoder,
            "tasks": task,
            "dataset": dataset,
            "train_dataset": train_dataset,
            "test_dataset": test_dataset,
            "test_tracks": test_tracks,
            "layers": layers.split(",") if layers and "," in layers else layers,
            "probe": probe,
            "preset": preset,
            "seeds": seed,
            "device": device,
            "dtype": dtype,
            "precision": precision,
            "limit": limit,
            "strict": strict,
            "data_home": data_home,
            "cache_dir": cache_dir,
            "results_dir": results_dir,
        }
        values = {name: value for name, value in given.items() if value is not None}
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
    from mirprobe.runner import run

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
    from mirprobe.runner import run

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
    from mirprobe.ranking import merge

    tables = [result.scores for result in results if len(result.scores)]
    if tables:
        _print_board(merge(tables))
    problems: dict[str, str] = {}
    for result in results:
        problems.update(result.problems)
    for track, reason in problems.items():
        typer.echo(f"left out: track '{track}': {reason}")
    if problems:
        tracks = "1 track" if len(problems) == 1 else f"{len(problems)} tracks"
        typer.echo(f"{tracks} left out; --strict makes this an error")
    for result in results:
        typer.echo(f"scores and predictions: {result.folder.path}")


def _print_board(scores: Any) -> None:
    from mirprobe.ranking import leaderboard, mean_ranks, rows_of

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
    console.print("mean rank: " + ", ".join(f"{name} {rank:.2f}" for name, rank in ranks.items()))


_TEXT = ("encoder", "layer", "decoding")
_LONG = ("encoder", "layer")
