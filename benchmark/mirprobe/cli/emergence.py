"""The commands `mirprobe inspect` and `mirprobe emergence`: look into a ViT-1D."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mirprobe.cli.errors import one_line_errors

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
    ] = "received-rise",
    start: Annotated[float, typer.Option(help="Seconds into the file.")] = 0.0,
    duration: Annotated[float, typer.Option(help="Seconds that are drawn.")] = 30.0,
    device: Device = "auto",
) -> None:
    """Draw what a ViT-1D sees in a file: attention over time, onsets, self-similarities.

    The arrays behind the figure are written beside it, as .npz.
    """
    from mirprobe.core.atomic_write import write_whole
    from mirprobe.core.plotting import check_ending, require_matplotlib
    from mirprobe.emergence.inspect_figure import draw
    from mirprobe.emergence.inspect_track import inspect_track, to_npz
    from mirprobe.emergence.models import InspectedModel, trained_spec
    from mirprobe.evaluation.config import find_device
    from mirprobe.vit1d.checkpoint import weights_path

    with one_line_errors():
        output = output or Path(f"{file.stem}.png")
        check_ending(output)
        require_matplotlib()
        weights = weights_path(checkpoint)
        model = InspectedModel(trained_spec(weights), find_device(device))
        inspection = inspect_track(
            file,
            model,
            layers=layers.split(",") if "," in layers else layers,
            reading=reading,
            start=start,
            duration=duration,
        )
        arrays = output.with_suffix(".npz")
        write_whole(arrays, to_npz(inspection))
        write_whole(output, draw(inspection, weights.name, output.suffix))
        first, last = inspection.times[0], inspection.times[-1]
        typer.echo(f"{first:.1f} to {last:.1f} s of {inspection.length:.1f} s")
        typer.echo(f"figure: {output}; arrays: {arrays}")


def emergence_command(
    checkpoint: Checkpoint = None,
    dataset: Annotated[str, typer.Option(help="NAME or NAME:option=value,...")] = "studio",
    size: Annotated[int | None, typer.Option(help="Pieces in the data set `studio`.")] = None,
    limit: Annotated[int | None, typer.Option(help="At most so many tracks a split.")] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder of the page, tables and figures.")
    ] = Path("results/emergence"),
    controls: Annotated[int, typer.Option(help="Random weights to compare with.")] = 3,
    seed: Annotated[int, typer.Option(help="Of sampled pairs, guesses and the bootstrap.")] = 0,
    jobs: Annotated[int, typer.Option(help="Processes; 0 is one a core, 8 at most.")] = 0,
    device: Device = "auto",
    data_home: Annotated[
        Path | None, typer.Option(help="Data sets, one folder each. Default: ~/mir_datasets.")
    ] = None,
    cache_dir: Annotated[
        str, typer.Option(help="Embeddings and rendered audio.")
    ] = "embeddings_cache",
) -> None:
    """Hold a ViT-1D against the claims about it: onsets, similarities, useful tokens.

    Writes a page that reads the five claims of Kong et al. (ISMIR 2025) against the figures, with
    the tables and figures behind it.
    """
    import joblib

    from mirprobe.api.specs import with_option
    from mirprobe.emergence.run_emergence import run_emergence
    from mirprobe.evaluation.config import find_device, make_config
    from mirprobe.vit1d.checkpoint import weights_path

    with one_line_errors():
        if size is not None:
            dataset = with_option(dataset, "size", size)
        config = make_config(
            {
                "dataset": dataset,
                "limit": limit,
                "device": device,
                "cache_dir": cache_dir,
                **({} if data_home is None else {"data_home": data_home}),
            }
        )
        if not jobs:  # each takes a gigabyte, and a GPU is not shared out among them
            jobs = min(joblib.cpu_count(), 8) if find_device(config.device) == "cpu" else 1
        done = run_emergence(
            config, weights_path(checkpoint), output, seed=seed, controls=controls, jobs=jobs
        )
        for number, claim in enumerate(done.claims, start=1):
            typer.echo(f"{number}. {claim.verdict}: {claim.statement}")
        for track, reason in done.problems.items():
            typer.echo(f"left out: track '{track}': {reason}")
        typer.echo(f"page, tables and figures: {done.folder}")
