"""The commands `mirprobe validate-task` and `mirprobe validate-dataset`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mirprobe.cli.data import FOLDERS, folders_of
from mirprobe.cli.options import options_from
from mirprobe.cli.plugins import report_checks
from mirprobe.evaluation.config import RunConfig


@options_from(RunConfig, only=FOLDERS)
def validate_task_command(
    spec: Annotated[str, typer.Argument(help="NAME or FILE.py:CLASS.")],
    dataset: Annotated[
        str, typer.Option(help="NAME or FILE.py:CLASS, with options; has the task's annotation.")
    ] = "studio",
    **given: Any,
) -> None:
    """Check that a task keeps the contract of tasks; exit status 1 if it does not.

    Members, shape and type of targets at several frame rates, the reference decoded from its own
    targets, declared metrics and their range, the score of the reference itself: one line each.
    """
    from mirprobe.api.registry import TASKS
    from mirprobe.evaluation.validate_task import validate_task

    data = folders_of(given).open(dataset)
    report_checks(f"task '{spec}'", validate_task(TASKS.create(spec, data), data))


@options_from(RunConfig, only=FOLDERS)
def validate_dataset_command(
    spec: Annotated[str, typer.Argument(help="NAME or FILE.py:CLASS, with options.")],
    limit: Annotated[
        int | None, typer.Option(help="Open the audio of at most so many tracks per split.")
    ] = None,
    **given: Any,
) -> None:
    """Check that a data set keeps the contract of data sets; exit status 1 if it does not.

    Members, fixed splits, ids and groups, audio, annotations within the audio, and the tasks that
    need them: one line each. Renders the audio of a generated data set.
    """
    from mirprobe.data.validate_dataset import validate_dataset

    folders = folders_of(given)
    checks = validate_dataset(lambda: folders.open(spec), limit)
    report_checks(f"data set '{spec}'", checks)
