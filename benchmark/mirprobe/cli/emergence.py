"""The commands `mirprobe inspect` and `mirprobe emergence`: inspect a ViT-1D."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mirprobe.cli.options import options_from
from mirprobe.cli.tables import print_left_out
from mirprobe.evaluation.config import RunConfig, make_config
from mirprobe.evaluation.device import find_device

Checkpoint = Annotated[
    Path | None, typer.Option(help="Weights of a ViT-1D. Default: the included weights.")
]


@options_from(RunConfig, only=("layers", "device"))
def inspect_command(
    file: Annotated[Path, typer.Argument(help="An audio file.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="OUT.png or OUT.svg. Default: FILE's name here."),
    ] = None,
    checkpoint: Checkpoint = None,
    reading: Annotated[
        str,
        typer.Option(
            metavar="<received|received-rise|summary|summary-rise|turn>",
            help="The curve to read from the attention.",
        ),
    ] = "received-rise",
    start: Annotated[float, typer.Option(help="Start of the figure, in seconds.")] = 0.0,
    duration: Annotated[float, typer.Option(help="Length of the figure, in seconds.")] = 30.0,
    **given: Any,
) -> None:
    """Draw attention over time, onsets and self-similarities of a ViT-1D for an audio file.

    The arrays behind the figure are written to the same folder, as .npz.
    """
    from mirprobe.core.atomic_write import write_whole
    from mirprobe.core.output_file import check_output
    from mirprobe.core.plotting import ENDINGS, require_matplotlib
    from mirprobe.emergence.inspect_figure import draw
    from mirprobe.emergence.inspect_track import inspect_track, to_npz
    from mirprobe.emergence.models import InspectedModel, trained_spec
    from mirprobe.vit1d.checkpoint import weights_path

    output = output or Path(f"{file.stem}.png")
    check_output(output, ENDINGS)
    require_matplotlib()
    weights = weights_path(checkpoint)
    config = make_config(given)
    inspection = inspect_track(
        file,
        InspectedModel(trained_spec(weights), find_device(config.device)),
        layers=config.layers,
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


@options_from(RunConfig, only=("dataset", "limit", "device", "data_home", "cache_dir", "local_dir"))
def emergence_command(
    checkpoint: Checkpoint = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder of the page, tables and figures.")
    ] = Path("results/emergence"),
    seeds: Annotated[
        int, typer.Option(help="Number of models with random weights, for claims 4 and 5.")
    ] = 20,
    probe_seeds: Annotated[
        int, typer.Option(help="How many of them are probed, for claims 1 to 3.")
    ] = 5,
    seed: Annotated[int, typer.Option(help="Seed of sampled pairs and chance onsets.")] = 0,
    jobs: Annotated[
        int, typer.Option(help="Number of processes. 0 is one per core, at most 8.")
    ] = 0,
    **given: Any,
) -> None:
    """Test the claims about a ViT-1D: onsets, similarities, useful tokens.

    Writes a page with verdicts on the five claims of Kong et al. (ISMIR 2025), its tables and
    its figures.
    """
    import joblib

    from mirprobe.emergence.run_emergence import run_emergence
    from mirprobe.vit1d.checkpoint import weights_path

    config = make_config(given)
    if not jobs:  # each process takes a gigabyte, and processes do not share a GPU
        jobs = min(joblib.cpu_count(), 8) if find_device(config.device) == "cpu" else 1
    done = run_emergence(
        config,
        weights_path(checkpoint),
        output,
        seed=seed,
        seeds=seeds,
        probe_seeds=probe_seeds,
        jobs=jobs,
    )
    for number, claim in enumerate(done.claims, start=1):
        typer.echo(f"{number}. {claim.verdict}: {claim.statement}")
    print_left_out(done.problems)
    typer.echo(f"page, tables and figures: {done.folder}")
