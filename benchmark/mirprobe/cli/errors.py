"""How every command ends on an error that its user can fix."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup

from mirprobe.core.errors import ConfigError, ListedError, MirprobeError


class OneLineErrors(TyperGroup):
    """A group of commands that turns errors into one line and an exit status.

    A MirprobeError becomes exit status 2, Ctrl-C 130. An option that is given twice is refused
    unless it is a list: Click would drop the first value.
    """

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that the command line names, and its arguments."""
        name, command, rest = super().resolve_command(ctx, args)
        # the command itself reports what cannot be parsed
        assert command is not None  # it would have been refused
        own = command.context_class(command, parent=ctx, resilient_parsing=True)
        _, _, given = command.make_parser(own).parse_args([*rest])
        for option, count in Counter(given).items():
            if count > 1 and option.param_type_name == "option" and not option.multiple:
                raise ConfigError(f"{option.opts[0]} is given {count} times; give it once")
        return name, command, rest

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
