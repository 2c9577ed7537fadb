"""The command line `mirprobe`: the only place that prints."""

from __future__ import annotations

import logging
import sys
import time
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer
from tqdm import tqdm

from mirprobe.cli.data import data_app
from mirprobe.cli.emergence import emergence_command, inspect_command
from mirprobe.cli.errors import one_line_errors as _one_line_errors
from mirprobe.cli.extract import extract_command
from mirprobe.cli.pretrain import pretrain_app
from mirprobe.cli.run import run_command
from mirprobe.cli.validate import validate_command
from mirprobe.core.errors import ConfigError

app = typer.Typer(
    help="Probe music encoders on tagging, key, chord, beat and more, and rank them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
cache_app = typer.Typer(help="Look after the embeddings cache.", no_args_is_help=True)
app.command("run")(run_command)
app.command("extract")(extract_command)
app.command("validate-encoder")(validate_command)
app.add_typer(data_app, name="data")
app.add_typer(cache_app, name="cache")
app.add_typer(pretrain_app, name="pretrain")
app.command("inspect")(inspect_command)
app.command("emergence")(emergence_command)

CacheDir = Annotated[str, typer.Option(help="Embeddings, and what data sets render.")]


class Kind(str, Enum):
    """What `mirprobe list` lists."""

    encoders = "encoders"
    tasks = "tasks"
    datasets = "datasets"
    metrics = "metrics"
    suites = "suites"


def main() -> None:
    """Entry point of the console script."""
    app()


class _TqdmHandler(logging.Handler):
    """Log lines on standard error that leave progress bars whole."""

    def emit(self, record: logging.LogRecord) -> None:
        tqdm.write(f"{record.levelname.lower()}: {record.getMessage()}", file=sys.stderr)


@app.callback()
def _setup() -> None:
    for name in ("mirprobe", "mirprobe_tasks"):
        logger = logging.getLogger(name)
        logger.handlers = [_TqdmHandler()]
        logger.propagate = False
        logger.setLevel(logging.INFO)


@app.command("list")
def list_command(kind: Kind) -> None:
    """List what is registered: encoders, tasks, datasets, metrics or suites."""
    from mirprobe.api.encoder import EncoderInfo
    from mirprobe.api.registry import DATASETS, ENCODERS, TASKS
    from mirprobe.evaluation.suites import registered, summary

    with _one_line_errors():
        if kind is Kind.metrics:
            for name in TASKS.names():
                for metric, convention in TASKS.get(name).metrics.items():  # type: ignore[attr-defined]
                    typer.echo(f"{name:12} {metric:18} {convention}")
            return
        if kind is Kind.suites:
            for name, file in registered().items():
                typer.echo(f"{name:20} {summary(file)}")
            return
        registry: Any = {"encoders": ENCODERS, "tasks": TASKS, "datasets": DATASETS}[kind.value]
        for name in registry.names():
            entry = registry.get(name)
            first = (entry.__doc__ or "").strip().partition("\n")[0]
            info = getattr(entry, "info", None)
            licence = info.licence if isinstance(info, EncoderInfo) else ""  # of the weights
            typer.echo(f"{name:20} {first}{f' [{licence}]' if licence else ''}")


@app.command("leaderboard")
def leaderboard_command(
    runs: Annotated[list[Path], typer.Argument(help="Folders of runs, merged into one table.")],
    reference: Annotated[
        str | None, typer.Option(help="Encoder that differences are taken to.")
    ] = None,
    with_published: Annotated[
        bool,
        typer.Option(
            "--with-published",
            help="Show figures of papers where task, data set and metric agree; never ranked.",
        ),
    ] = False,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder of leaderboard.csv and leaderboard.md.")
    ] = Path("results"),
) -> None:
    """Rank the encoders of one or more runs; writes leaderboard.csv and leaderboard.md."""
    from mirprobe.core.atomic_write import write_whole
    from mirprobe.reporting.leaderboard import (
        leaderboard,
        read_pairs,
        read_runs,
        to_csv,
        to_markdown,
    )
    from mirprobe.reporting.published import add_published, published_beside

    with _one_line_errors():
        board = leaderboard(read_runs(runs), reference, read_pairs(runs))
        figures = published_beside(board) if with_published else None
        markdown = to_markdown(board, figures)
        if figures is not None:
            board = add_published(board, figures)
        write_whole(output / "leaderboard.csv", to_csv(board).encode())
        write_whole(output / "leaderboard.md", markdown.encode())
        typer.echo(markdown)
        if figures is not None and figures.empty:
            typer.echo("no figure is published on these tasks, data sets and metrics")
        typer.echo(f"written: {output / 'leaderboard.csv'}, {output / 'leaderboard.md'}")


@cache_app.command()
def info(cache_dir: CacheDir = "embeddings_cache") -> None:
    """Entries and size by encoder and view."""
    from mirprobe.embedding.cache import Cache
    from mirprobe.embedding.prune import list_entries

    with _one_line_errors():
        cache = Cache(_existing(cache_dir))
        totals: dict[tuple[str, str], tuple[int, int]] = {}
        for item in list_entries(cache):
            count, size = totals.get((item.encoder, item.view), (0, 0))
            totals[item.encoder, item.view] = count + 1, size + item.size
        for (encoder, view), (count, size) in sorted(totals.items()):
            typer.echo(f"{encoder or '(unreadable)':24} {view:6} {count:8} {size / 1e6:12.1f} MB")
        leftovers = len(list(cache.leftovers()))
        typer.echo(f"{sum(count for count, _ in totals.values())} entries, {leftovers} leftovers")


@cache_app.command()
def verify(cache_dir: CacheDir = "embeddings_cache") -> None:
    """Hold every entry against its checksum; broken ones are set aside, exit status 1."""
    from mirprobe.embedding.cache import Cache

    with _one_line_errors():
        cache = Cache(_existing(cache_dir))
        paths = list(cache.entries())
        bar = tqdm(paths, "verifying", leave=False, disable=None)
        broken = sum(cache.get(path.stem) is None for path in bar)
        typer.echo(f"{len(paths)} entries, {broken} broken")
        if broken:
            raise typer.Exit(1)


@cache_app.command()
def prune(
    cache_dir: CacheDir = "embeddings_cache",
    encoder: Annotated[str | None, typer.Option(help="Entries of this encoder.")] = None,
    older_than: Annotated[float | None, typer.Option(help="Entries older than DAYS.")] = None,
    max_gb: Annotated[float | None, typer.Option(help="Oldest first, down to so many GB.")] = None,
) -> None:
    """Delete leftovers of killed runs and broken entries, and what the options choose."""
    from mirprobe.embedding.cache import Cache
    from mirprobe.embedding.prune import prune_candidates

    with _one_line_errors():
        paths = prune_candidates(
            Cache(_existing(cache_dir)),
            now=time.time(),
            encoder=encoder,
            older_than_days=older_than,
            max_gb=max_gb,
        )
        freed = 0
        for path in tqdm(paths, "pruning", leave=False, disable=None):
            freed += path.stat().st_size
            path.unlink()
        typer.echo(f"{len(paths)} files deleted, {freed / 1e6:.1f} MB freed")


def _existing(place: str) -> Path:
    from mirprobe.embedding.cache import Cache
    from mirprobe.embedding.remote_store import is_url

    if is_url(place):
        raise ConfigError(
            f"{place}: an address is looked after by its own tools; the copies of its entries on "
            f"this machine lie in {Cache(place).root}, which --cache-dir may name"
        )
    if not Path(place).is_dir():
        raise ConfigError(f"{place}: no such cache folder; name it with --cache-dir")
    return Path(place)
