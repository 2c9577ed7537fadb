"""The commands on plug-ins: `mirprobe list` and `mirprobe validate-encoder`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal

import typer

from mirprobe.cli.errors import fail_if_any
from mirprobe.cli.options import options_from
from mirprobe.core.check import Check
from mirprobe.core.errors import ConfigError, plugin_errors
from mirprobe.evaluation.config import RunConfig

_VERDICTS = {True: "pass", False: "FAIL", None: "n/a"}


def list_command(kind: Literal["encoders", "tasks", "datasets", "metrics", "suites"]) -> None:
    """List what is registered: encoders, tasks, datasets, metrics or suites."""
    from mirprobe.api.registry import DATASETS, ENCODERS, TASKS
    from mirprobe.evaluation.suites import registered, summary

    if kind == "metrics":
        for name in TASKS.names():
            for metric, convention in TASKS.get(name).metrics.items():  # type: ignore[attr-defined]
                typer.echo(f"{name:12} {metric:18} {convention}")
        return
    if kind == "suites":
        for name, file in registered().items():
            typer.echo(f"{name:20} {summary(file)}")
        return
    registry: Any = {"encoders": ENCODERS, "tasks": TASKS, "datasets": DATASETS}[kind]
    broken = []
    for name in registry.names():
        try:
            typer.echo(f"{name:20} {registry.summary(name)}")
        except ConfigError as error:
            broken.append(str(error))
    fail_if_any(broken, len(broken))


@options_from(RunConfig, only=("device",))
def validate_encoder_command(
    spec: Annotated[str, typer.Argument(help="As in `mirprobe run --encoder`.")], **given: Any
) -> None:
    """Check that an encoder keeps the contract of encoders; exit status 1 if it does not.

    Shapes, values, sources, independence of the batch, repetition, silent, short and long input,
    frame times, fingerprint: one line each. Takes a minute or two on a CPU.
    """
    from mirprobe.encoders.specs import make_encoder
    from mirprobe.encoders.validation.checks import validate
    from mirprobe.evaluation.device import find_device

    device = find_device(RunConfig(**given).device)
    report_checks(f"encoder '{spec}'", validate(lambda: make_encoder(spec), device))


def report_checks(plugin: str, checks: Iterable[Check]) -> None:
    """Print one line per check and their numbers; exit status 1 if one failed."""
    counts = dict.fromkeys(_VERDICTS, 0)
    for check in _named(plugin, checks):
        counts[check.passed] += 1
        line = f"{_VERDICTS[check.passed]:5} {check.name:17} {' '.join(check.found.split())}"
        remedy = f"; {check.remedy}" if check.passed is False and check.remedy else ""
        typer.echo(line + remedy)
    passed = f"{counts[True]} passed, {counts[False]} failed, {counts[None]} not applicable"
    typer.echo(f"{plugin}: {passed}")
    if counts[False]:
        raise typer.Exit(1)


def _named(plugin: str, checks: Iterable[Check]) -> Iterator[Check]:
    with plugin_errors(f"{plugin} raised an error outside of a check", "correct it"):
        yield from checks
