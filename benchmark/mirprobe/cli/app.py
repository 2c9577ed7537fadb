"""The commands of `mirprobe`, put together."""

from __future__ import annotations

import logging
import sys

import typer

from mirprobe.cli.cache import cache_app
from mirprobe.cli.compare import compare_command
from mirprobe.cli.data import data_app
from mirprobe.cli.emergence import emergence_command, inspect_command
from mirprobe.cli.errors import OneLineErrors
from mirprobe.cli.extract import extract_command
from mirprobe.cli.leaderboard import leaderboard_app
from mirprobe.cli.plugins import list_command, validate_encoder_command
from mirprobe.cli.pretrain import pretrain_app
from mirprobe.cli.rerun import rerun_command
from mirprobe.cli.run import run_command
from mirprobe.cli.show import plot_command, report_command, table_command
from mirprobe.cli.symmetry import symmetry_command
from mirprobe.cli.validate_plugins import validate_dataset_command, validate_task_command

app = typer.Typer(
    cls=OneLineErrors,
    help="Probe music encoders on tagging, key, chord, beat and more, and rank them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("run")(run_command)
app.command("rerun")(rerun_command)
app.command("extract")(extract_command)
app.command("symmetry")(symmetry_command)
app.command("validate-encoder")(validate_encoder_command)
app.command("validate-task")(validate_task_command)
app.command("validate-dataset")(validate_dataset_command)
app.add_typer(data_app, name="data")
app.add_typer(cache_app, name="cache")
app.add_typer(pretrain_app, name="pretrain")
app.command("inspect")(inspect_command)
app.command("emergence")(emergence_command)
app.command("list")(list_command)
app.command("compare")(compare_command)
app.add_typer(leaderboard_app, name="leaderboard")
app.command("report")(report_command)
app.command("plot")(plot_command)
app.command("table")(table_command)


class _TqdmHandler(logging.Handler):
    """Writes log lines to standard error, each once, without breaking a progress bar."""

    def __init__(self) -> None:
        super().__init__()
        self._written: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        from tqdm import tqdm

        line = f"{record.levelname.lower()}: {record.getMessage()}"
        if line not in self._written:
            self._written.add(line)
            tqdm.write(line, file=sys.stderr)


@app.callback()
def _setup() -> None:
    for name in ("mirprobe", "mirprobe_tasks"):
        logger = logging.getLogger(name)
        logger.handlers = [_TqdmHandler()]
        logger.propagate = False
        logger.setLevel(logging.INFO)
