"""How every command ends on an error that its user can fix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup

from mirprobe.core.errors import ListedError, MirprobeError


class OneLineErrors(TyperGroup):
    """A group of commands that turns errors into one line and an exit status.

    A MirprobeError becomes exit status 2, Ctrl-C 130.
    """

    def invoke(self, ctx: Any) -> Any:
        """Run the command that the command line names."""
        try:
            return super().invoke(ctx)
        except MirprobeError as error:
            for line in lines_of(error):
                print_error(line)
            raise typer.Exit(2) from error
        except KeyboardInterrupt as error:
            message = "interrupted: finished work is kept; the same command continues from there"
            typer.echo(str(error) or message, err=True)
            raise typer.Exit(getattr(error, "exit_status", 130)) from error


def print_error(reason: str) -> None:
    """Print an error in one line on standard error."""
    typer.echo(f"error: {' '.join(reason.split())}", err=True)


def lines_of(error: MirprobeError) -> list[str]:
    """The message of an error, or a line for each of its faults."""
    return error.lines if isinstance(error, ListedError) else [str(error)]


def fail_if_any(reasons: Sequence[str], runs: int) -> None:
    """End the command if something failed.

    Raises:
        Exit: after a line for each reason, with status 2 if there was one run, 1 if several.
    """
    for reason in reasons:
        print_error(reason)
    if reasons:
        raise typer.Exit(2 if runs == 1 else 1)
