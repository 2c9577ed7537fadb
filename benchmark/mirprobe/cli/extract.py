"""The command `mirprobe extract`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mirprobe.cli.errors import fail_if_any
from mirprobe.cli.options import options_from
from mirprobe.cli.run import Suite, configs_of, report_left_out, run_each
from mirprobe.evaluation.config import RunConfig

if TYPE_CHECKING:
    from mirprobe.evaluation.extract import Extraction


@options_from(RunConfig, skip=("probe", "preset", "pca", "seeds", "results_dir"))
def extract_command(
    level: Annotated[
        str | None,
        typer.Option(
            metavar="<clip|frame|both>",
            help="Views to compute. Default: those that the tasks of --task or --suite need; both "
            "if neither is given.",
        ),
    ] = None,
    suite: Suite = None,
    **given: Any,
) -> None:
    """Fill the embeddings cache without probing, so that another machine can probe.

    A later `mirprobe run` with the same options finds all embeddings in the cache and encodes
    nothing. Exit status and messages are those of `run`.
    """
    from mirprobe.evaluation.extract import check, extract

    configs = configs_of(suite, given)
    views: Any = level or ("both" if suite is None and "tasks" not in given else None)

    def work(config: RunConfig) -> Extraction:
        done = extract(config, views)
        for name, encoded in done.encoded.items():
            counts = f"{done.tracks} tracks, {encoded} encoded now"
            typer.echo(f"{name} on {config.data}: {counts}")
        return done

    results, reasons = run_each(configs, lambda config: check(config, views), work)
    report_left_out(results)
    if results:
        typer.echo(f"embeddings: {next(iter(configs)).cache_dir}")
    fail_if_any(reasons, len(configs))
