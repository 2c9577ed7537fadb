"""The command `mirprobe run`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Protocol, TypeVar

import typer

from mirprobe.cli.errors import fail_if_any, lines_of
from mirprobe.cli.options import options_from
from mirprobe.cli.tables import print_board, print_left_out
from mirprobe.core.errors import (
    ConfigError,
    MirprobeError,
    MissingDataError,
    PluginError,
    StorageError,
    refuse,
)
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

    All runs of a suite are checked before the first one begins. If one of them fails later, or its
    data set is not on this machine, the other runs are still done. All reasons are printed at the
    end, and the exit status is 1.
    """
    from mirprobe.evaluation.runner import check, run
    from mirprobe.reporting.leaderboard import leaderboard, merge, read_pairs

    configs = {
        replace(config, encoders=(*config.encoders, *(add_encoder or ()))): place
        for config, place in configs_of(suite, given).items()
    }
    results, reasons = run_each(configs, check, run)
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


def configs_of(suite: str | None, given: Mapping[str, Any]) -> dict[RunConfig, str]:
    """The runs that the command line describes, and the place of each in a suite."""
    from mirprobe.evaluation.suites import load_suite

    if suite is None and not {"dataset", "train_dataset", "test_dataset", "tasks"} & set(given):
        suite = "quick"
    return {make_config(given): ""} if suite is None else load_suite(suite, given)


def run_each(
    configs: Mapping[RunConfig, str],
    check: Callable[[RunConfig], None],
    work: Callable[[RunConfig], R],
) -> tuple[list[R], list[str]]:
    """Do the runs one after the other; the reasons say what failed.

    Args:
        configs: the runs, and the place of each in a suite.
        check: refuses a wrong run before any work; called for all of several runs first.
        work: does one.

    Raises:
        ConfigError: `check` refuses runs.
        StorageError: the cache or the results cannot be written, so that no other run could do it.
        MirprobeError: the same error ended every run.
    """
    wrong: dict[str, MirprobeError] = {}
    for config, place in configs.items() if len(configs) > 1 else ():
        try:
            check(config)
        except (MissingDataError, PluginError):
            continue  # these cost their own run only
        except ConfigError as error:
            wrong[place] = error
    _raise_if_of_all([*wrong.values()], configs)
    faults = [f"{place}: {line}" for place, error in wrong.items() for line in lines_of(error)]
    refuse(faults, "wrong runs; none was begun")
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
    _raise_if_of_all(errors, configs)
    return results, reasons


def _raise_if_of_all(errors: Sequence[MirprobeError], runs: Collection[object]) -> None:
    """Raise the error that every run has."""
    if len(errors) == len(runs) and len({str(error) for error in errors}) == 1:
        raise errors[0]


def report_left_out(results: Sequence[Outcome]) -> None:
    """Why tracks could not be used, and their number."""
    problems: dict[str, str] = {}
    for result in results:
        problems.update(result.problems)
    print_left_out(problems)
    if problems:
        tracks = "1 track" if len(problems) == 1 else f"{len(problems)} tracks"
        typer.echo(f"{tracks} left out; --strict makes this an error")
