"""The commands `mirprobe pretrain`: from folders of music to a bank, from a bank to weights."""

from __future__ import annotations

import logging
from collections import Counter
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from mirprobe.cli.errors import one_line_errors

pretrain_app = typer.Typer(
    help="Train ViT-1D from nothing on your own music.", no_args_is_help=True
)


class Objectives(str, Enum):
    """What is minimised."""

    ntxent = "ntxent"
    cojepa = "cojepa"


class Models(str, Enum):
    """What is trained."""

    vit1d = "vit1d"
    rope = "vit1d-rope"


class Devices(str, Enum):
    """Where it is trained."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"
    mps = "mps"


class Precisions(str, Enum):
    """Of the matrix products; weights stay in float32."""

    auto = "auto"
    full = "32"
    bf16 = "bf16"


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
        typer.Option(
            help="Share of works that never train and validate; default 0.05, with at least 8."
        ),
    ] = None,
    jobs: Annotated[int, typer.Option(help="Processes; 0 is one a core.")] = 0,
) -> None:
    """Decode folders of music once and store the frames that ViT-1D trains on.

    May be killed at any time: the same command goes on with the tracks that are missing.
    """
    from mirprobe.pretraining.bank import HeldOut
    from mirprobe.pretraining.build_bank import build_bank

    with one_line_errors():
        rule = None if held_out is None else HeldOut(fraction=held_out)
        bank = build_bank(folders, output, dtype=dtype.value, held_out=rule, jobs=jobs)
        for skipped in bank.skipped:
            if skipped.kind == "undecodable":
                typer.echo(f"left out: {skipped.source}: {skipped.reason}")
        for kind, count in sorted(Counter(skipped.kind for skipped in bank.skipped).items()):
            typer.echo(f"left out: {count} {kind}, listed in {bank.path / 'bank.json'}")
        held = sum(track.split == "held-out" for track in bank.tracks)
        typer.echo(
            f"{bank.path}: {len(bank.tracks)} tracks ({held} held out), {bank.hours:.1f} h, "
            f"{bank.frames.nbytes / 1e6:.1f} MB of {bank.dtype}; quantisation error "
            f"{bank.error.rms:.4f} rms, {bank.error.largest:.4f} at most, in deviations of the "
            f"front end ({bank.error_db:.2f} dB rms)"
        )


@pretrain_app.command("fit")
def fit_command(
    bank: Annotated[Path, typer.Argument(help="Made by `mirprobe pretrain bank`.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="A folder; a killed run in it goes on.")
    ],
    objective: Annotated[Objectives, typer.Option(help="The loss.")] = Objectives.ntxent,
    config: Annotated[Models, typer.Option(help="The model.")] = Models.vit1d,
    begin_with: Annotated[
        Path | None, typer.Option(help="Weights of an earlier training; otherwise random ones.")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(help="Number of steps; 100,000 if no time is given either.")
    ] = None,
    hours: Annotated[float | None, typer.Option(help="Hours of training instead.")] = None,
    minutes: Annotated[float | None, typer.Option(help="Minutes, added to the hours.")] = None,
    batch: Annotated[int, typer.Option(help="Pairs per step, over all devices.")] = 128,
    lr: Annotated[float, typer.Option(help="Peak learning rate.")] = 5e-4,
    warmup: Annotated[
        float, typer.Option(help="Share of the steps in which the rate rises; more in short runs.")
    ] = 0.01,
    temperature: Annotated[float, typer.Option(help="Of NT-Xent.")] = 0.1,
    min_gap: Annotated[
        float, typer.Option(help="Seconds between the segments of a pair, at least.")
    ] = 0.0,
    max_gap: Annotated[
        float, typer.Option(help="Seconds, at most; inf for anywhere in the track.")
    ] = 16.0,
    same_group: Annotated[
        float, typer.Option(help="Share of batches whose tracks sound alike.")
    ] = 0.0,
    variants: Annotated[
        int, typer.Option(help="In such batches, the keys and tempi in which each track comes.")
    ] = 1,
    hide: Annotated[
        float, typer.Option(help="Share of each segment that NT-Xent is trained without.")
    ] = 0.0,
    average: Annotated[
        float | None, typer.Option(help="Decay of a moving average of the weights, such as 0.999.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of weights, pairs and masks.")] = 0,
    device: Annotated[Devices, typer.Option(help="What to train on.")] = Devices.auto,
    precision: Annotated[
        Precisions, typer.Option(help="auto: bf16 on GPUs that have it.")
    ] = Precisions.auto,
    devices: Annotated[int, typer.Option(help="Processes on each node.")] = 1,
    nodes: Annotated[int, typer.Option(help="Machines, with the same command on each.")] = 1,
    compile: Annotated[
        bool, typer.Option("--compile", help="Have torch compile the model first.")
    ] = False,
    log_every: Annotated[int, typer.Option(help="Steps between rows of training.csv.")] = 50,
    validate_every: Annotated[
        int,
        typer.Option(
            help="Steps between retrievals among held-out tracks (8,192 segments at most); "
            "0 is never."
        ),
    ] = 1000,
    save_every: Annotated[int, typer.Option(help="Steps between states to go on from.")] = 500,
) -> None:
    """Train ViT-1D on a bank.

    May be killed at any time: the same command goes on from the last saved state. On the CPU the
    weights are those of a run that was never killed.
    """
    from mirprobe.pretraining.bank import Bank
    from mirprobe.pretraining.config import DeviceConfig, FitConfig, Intervals
    from mirprobe.pretraining.fit import fit
    from mirprobe.vit1d.model import CONFIGS

    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it announces itself
    with one_line_errors():
        model = CONFIGS[config.value]
        done = fit(
            Bank.open(bank, expected=model.frontend),
            output,
            model=model,
            config=FitConfig(
                objective=objective.value,
                steps=steps,
                hours=hours,
                minutes=minutes,
                batch=batch,
                lr=lr,
                warmup=warmup,
                temperature=temperature,
                min_gap=min_gap,
                max_gap=max_gap,
                same_group=same_group,
                variants=variants,
                hide=hide,
                average=average,
                seed=seed,
            ),
            begin_with=begin_with,
            device_config=DeviceConfig(device.value, precision.value, devices, nodes, compile),
            intervals=Intervals(log_every, validate_every, save_every),
        )
        if done.primary:
            loss = "" if done.loss is None else f", loss {done.loss:.3f}"
            typer.echo(f"{done.folder}: {done.steps} steps{loss}")
            for name, found in done.retrieval.items():
                typer.echo(
                    f"retrieval by {name}: top-1 {found.top1:.3f}, mean reciprocal rank "
                    f"{found.mrr:.3f} among {found.segments} segments"
                )


@pretrain_app.command("export")
def export_command(
    checkpoint: Annotated[Path, typer.Argument(help="Weights that a training left.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")],
) -> None:
    """Write a training's weights in float16, as they ship."""
    from mirprobe.vit1d.checkpoint import export

    with one_line_errors():
        export(checkpoint, output)
        typer.echo(f"{output}: {output.stat().st_size / 1e6:.1f} MB")


@pretrain_app.command("curves")
def curves_command(
    runs: Annotated[list[Path], typer.Argument(help="Folders of trainings.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="OUT.png or OUT.svg.")] = Path(
        "curves.png"
    ),
) -> None:
    """Draw the loss and the retrieval of one or more trainings."""
    from mirprobe.core.atomic_write import write_whole
    from mirprobe.core.plotting import check_ending, require_matplotlib
    from mirprobe.pretraining.plot_curves import draw

    with one_line_errors():
        check_ending(output)
        require_matplotlib()
        write_whole(output, draw(runs, output.suffix))
        typer.echo(str(output))
