"""How every command ends on an error that its user can cure."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from mirprobe.core.errors import MirprobeError


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Errors that a user can cure become one line and exit status 2; Ctrl-C becomes 130."""
    try:
        yield
    except MirprobeError as error:
        typer.echo(f"error: {' '.join(str(error).split())}", err=True)
        raise typer.Exit(2) from error
    except KeyboardInterrupt as error:
        message = "interrupted: finished work is kept; the same command goes on from there"
        typer.echo(str(error) or message, err=True)
        raise typer.Exit(getattr(error, "exit_status", 130)) from error
