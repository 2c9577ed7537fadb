"""The commands `mirprobe inspect` and `mirprobe emergence`: look into a ViT-1D."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mirprobe.cli_errors import one_line_errors

Checkpoint = Annotated[
    Path | None, typer.Option(help="Weights of a ViT-1D; default: those that ship.")
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, mps.")]


def inspect_command(
    file: Annotated[Path, typer.Argument(help="An audio file.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="OUT.png or OUT.svg; default: FILE's name here."),
    ] = None,
    checkpoint: Checkpoint = None,
    layers: Annotated[
        str, typer.Option(help="thirds (early, middle, last), all, or names: 2,7,12.")
    ] = "thirds",
    reading: Annotated[
        str, typer.Option(help="received, received-rise, summary, summary-rise or turn.")
    ] = "turn",
    start: Annotated[float, typer.Option(help="Seconds into the file.")] = 0.0,
    duration: Annotated[float, typer.Option(help="Seconds that are drawn.")] = 30.0,
    device: Device = "auto",
) -> None:
    """Draw what a ViT-1D sees in a file: attention over time, onsets, self-similarities.

    The arrays behind the figure are written beside it, as .npz.
    """
    from mirprobe.config import RunConfig
    from mirprobe.emergence.drawing import check_ending, require_matplotlib
    from mirprobe.emergence.portrait import archive, portray
    from mirprobe.emergence.portrait_figure import draw
    from mirprobe.emergence.subject import trained
    from mirprobe.files import write_whole
    from mirprobe.vit1d.shipped import weights_path

    with one_line_errors():
        output = output or Path(f"{file.stem}.png")
        check_ending(output)
        require_matplotlib()
        weights = weights_path(checkpoint)
        subject = trained(weights, RunConfig(device=device).torch_device())
        portrait = portray(
            file,
            subject,
            layers=layers.split(",") if "," in layers else layers,
            reading=reading,
            start=start,
            duration=duration,
        )
        arrays = output.with_suffix(".npz")
        write_whole(arrays, archive(portrait))
        write_whole(output, draw(portrait, weights.name, output.suffix))
        first, last = portrait.times[0], portrait.times[-1]
        typer.echo(f"{first:.1f} to {last:.1f} s of {portrait.length:.1f} s")
        typer.echo(f"figure: {output}; arrays: {arrays}")
