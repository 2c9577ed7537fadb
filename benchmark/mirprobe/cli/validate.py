"""The command `mirprobe validate-encoder`."""

from __future__ import annotations

from typing import Annotated

import typer

from mirprobe.cli.errors import one_line_errors

_VERDICTS = {True: "pass", False: "FAIL", None: "n/a"}


def validate_command(
    spec: Annotated[str, typer.Argument(help="As in `mirprobe run --encoder`.")],
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, mps.")] = "auto",
) -> None:
    """Check that an encoder keeps its promises; exit status 1 if it does not.

    Shapes, values, sources, independence of the batch, repetition, silent, short and long input,
    where the frames lie in time, the fingerprint: one line each. Takes a minute or two on a CPU.
    """
    from mirprobe.encoders.specs import make_encoder
    from mirprobe.encoders.validation.checks import validate
    from mirprobe.evaluation.config import find_device

    with one_line_errors():
        place = find_device(device)
        counts = dict.fromkeys(_VERDICTS, 0)
        for check in validate(lambda: make_encoder(spec), place):
            counts[check.passed] += 1
            line = f"{_VERDICTS[check.passed]:5} {check.name:17} {' '.join(check.found.split())}"
            remedy = f"; {check.remedy}" if check.passed is False and check.remedy else ""
            typer.echo(line + remedy)
        failed = counts[False]
        passed = f"{counts[True]} passed, {failed} failed, {counts[None]} not applicable"
        typer.echo(f"encoder '{spec}': {passed}")
        if failed:
            raise typer.Exit(1)
