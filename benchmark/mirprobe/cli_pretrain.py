"""The commands `mirprobe pretrain`: from folders of music to a bank, from a bank to weights."""

from __future__ import annotations

from collections import Counter
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from mirprobe.cli_errors import one_line_errors

pretrain_app = typer.Typer(
    help="Train ViT-1D from nothing on your own music.", no_args_is_help=True
)


class Numbers(str, Enum):
    """How a bank stores its frames."""

    uint8 = "uint8"
    float16 = "float16"


@pretrain_app.command("bank")
def bank_command(
    folders: Annotated[
        list[Path], typer.Argument(help="Searched for wav, flac, ogg, opus, mp3 and packs of them.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The bank's folder; an old one is added to.")
    ],
    dtype: Annotated[Numbers, typer.Option(help="14 MB an hour, or twice that.")] = Numbers.uint8,
    held_out: Annotated[
        float | None,
        typer.Option(help="Share of tracks that validate and never train; default 0.05."),
    ] = None,
    jobs: Annotated[int, typer.Option(help="Processes; 0 is one a core.")] = 0,
) -> None:
    """Decode folders of music once and store the frames that ViT-1D trains on.

    May be killed at any time: the same command goes on with the tracks that are missing.
    """
    from mirprobe.vit1d.harvest import harvest
    from mirprobe.vit1d.held_out import HeldOut

    with one_line_errors():
        rule = None if held_out is None else HeldOut(fraction=held_out)
        bank = harvest(folders, output, dtype=dtype.value, held_out=rule, jobs=jobs)
        for skipped in bank.skipped:
            if skipped.kind == "undecodable":
                typer.echo(f"left out: {skipped.source}: {skipped.reason}")
        for kind, count in sorted(Counter(skipped.kind for skipped in bank.skipped).items()):
            typer.echo(f"left out: {count} {kind}")
        held = sum(track.split == "held-out" for track in bank.tracks)
        typer.echo(
            f"{bank.path}: {len(bank.tracks)} tracks ({held} held out), {bank.hours:.1f} h, "
            f"{bank.frames.nbytes / 1e6:.1f} MB of {bank.dtype}; quantisation error "
            f"{bank.error.rms:.4f} rms, {bank.error.largest:.4f} at most, in deviations of the "
            f"front end ({bank.error_db:.2f} dB rms)"
        )
