"""The command `mirprobe run`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Protocol, TypeVar

import typer

from mirprobe.cli.errors import fail_if_any, lines_of
from mirprobe.cli.options import options_from
from mirprobe.cli.tables import print_board, print_left_out
from mirprobe.core.errors import MirprobeError, StorageError
from mirprobe.evaluation.config import RunConfig, make_config

if TYPE_CHECKING:
    from mirprobe.evaluation.run_result import RunResult

Suite = Annotated[
    str | None,
    typer.Option(
        help="Suite: a name (see `mirprobe list suites`) or a YAML file of these options as "
        "fields. Options on the command line win over it. If the suite has several runs, --task "
        "selects the runs with that task."
    ),
]


class Outcome(Protocol):
    """What `run` and `extract` return, as far as both have it."""

    problems: dict[str, str]
    failures: dict[str, str]


R = TypeVar("R", bound=Outcome)


@options_from(RunConfig)
def run_command(
    suite: Suite = None,
    add_encoder: Annotated[
        list[str] | None,
        typer.Option(
            help="An encoder beside those of the suite or of the default. May be repeated."
        ),
    ] = None,
    **given: Any,
) -> None:
    """Score encoders on tasks and print the leaderboard.

    Without data set and task: the suite `quick`, four tasks on `studio`, and three of them on
    `scores` if music21 is installed.

    If a run of a suite fails, the other runs are still done. All reasons are printed at the end,
    and the exit status is 1.
    """
    from mirprobe.evaluation.runner import run
    from mirprobe.reporting.leaderboard import leaderboard, merge, read_pairs

    configs = [
        replace(config, encoders=(*config.encoders, *(add_encoder or ())))
        for config in configs_of(suite, given)
    ]
    results, reasons = run_each(configs, run)
    scored = [result for result in results if len(result.scores)]
    if scored:
        pairs = read_pairs([result.folder.path for result in scored])
        scores = merge([result.scores for result in scored])
        print_board(leaderboard(scores, pairs=pairs), scores)
    report_left_out(results)
    for result in scored:
        _write_page(result)
        typer.echo(f"scores and predictions: {result.folder.path}")
    fail_if_any(reasons, len(configs))


def _write_page(result: RunResult) -> None:
    """Write the page of a run into its folder, or say why there is none."""
    from mirprobe.reporting.report.page import write_report
    from mirprobe.reporting.run_collection import collect_runs
    from mirprobe.reporting.run_tables import PAGE

    page = result.folder.path / PAGE
    if result.changed or not page.exists():
        try:
            write_report(collect_runs([result.folder.path]), page)
        except MirprobeError as error:  # the results are complete without it
            typer.echo(f"no page: {error}")
            return
    typer.echo(f"page: {page}")


def configs_of(suite: str | None, given: Mapping[str, Any]) -> tuple[RunConfig, ...]:
    """The runs that the command line describes."""
    from mirprobe.evaluation.suites import load_suite

    if suite is None and not {"dataset", "train_dataset", "test_dataset", "tasks"} & set(given):
        suite = "quick"
    return (make_config(given),) if suite is None else load_suite(suite, given)


def run_each(
    configs: Sequence[RunConfig], work: Callable[[RunConfig], R]
) -> tuple[list[R], list[str]]:
    """Do the runs one after the other; the reasons say what failed.

    Raises:
        StorageError: the cache or the results cannot be written, so that no other run could do it.
        MirprobeError: the same error ended every run.
    """
    results: list[R] = []
    reasons: list[str] = []
    errors: list[MirprobeError] = []
    for config in configs:
        try:
            result = work(config)
        except StorageError:
            raise
        except MirprobeError as error:
            errors.append(error)
            failures = lines_of(error)
        else:
            results.append(result)
            failures = list(result.failures.values())
        title = f"{', '.join(config.tasks)} on {config.data}: " if len(configs) > 1 else ""
        reasons += [f"{title}{failure}" for failure in failures]
    if len(errors) == len(configs) and len({str(error) for error in errors}) == 1:
        raise errors[0]
    return results, reasons


def report_left_out(results: Sequence[Outcome]) -> None:
    """Why tracks could not be used, and their number."""
    problems: dict[str, str] = {}
    for result in results:
        problems.update(result.problems)
    print_left_out(problems)
    if problems:
        tracks = "1 track" if len(problems) == 1 else f"{len(problems)} tracks"
        typer.echo(f"{tracks} left out; --strict makes this an error")
