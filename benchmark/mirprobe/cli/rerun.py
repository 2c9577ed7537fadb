"""The command `mirprobe rerun`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mirprobe.cli.options import options_from
from mirprobe.evaluation.config import RunConfig

_SHOWN = 10


@options_from(RunConfig, only=("device", "jobs", "data_home", "cache_dir", "local_dir"))
def rerun_command(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")], **given: Any
) -> None:
    """Do a run again and say whether its scores are the same; exit status 1 if not.

    Probes are trained anew. Cached embeddings are used; name an empty --cache-dir to encode again.
    The results are compared and not kept.
    """
    from mirprobe.evaluation.environment import versions
    from mirprobe.evaluation.open_run import open_run

    finished = open_run(run)
    then, now = finished.description.get("versions", {}), versions()
    for name in now:
        if name in then and then[name] != now[name]:
            typer.echo(f"{name} was {then[name]}, is {now[name]}")
    found = finished.rerun(**given)
    odd = found.different
    for _, row in odd.head(_SHOWN).iterrows():
        where = " ".join(str(row[name]) for name in ("layer", "source", "decoding") if row[name])
        values = f"{row['before']:.6g} before, {row['after']:.6g} now"
        typer.echo(
            f"{row['encoder']} x {row['task']}: {row['kind']} {where} {row['metric']}: {values}"
        )
    if len(odd) > _SHOWN:
        typer.echo(f"and {len(odd) - _SHOWN} more")
    total = len(found.scores)
    if found.equal:
        typer.echo(f"{run}: all {total} scores are the same")
        return
    typer.echo(f"{run}: {len(odd)} of {total} scores differ")
    raise typer.Exit(1)
