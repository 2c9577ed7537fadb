"""The commands `mirprobe pretrain`: from folders of music to a bank, from a bank to weights."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from mirprobe.cli.errors import OneLineErrors
from mirprobe.cli.options import build, options_from
from mirprobe.pretraining.config import DeviceConfig, FitConfig, Intervals

pretrain_app = typer.Typer(
    cls=OneLineErrors, help="Train ViT-1D from scratch on your own music.", no_args_is_help=True
)

NOT_OPTIONS = (
    "final_lr", "decay", "final_decay", "betas", "clip", "mask", "predictor_depth", "jepa_weight",
)  # fmt: skip
"""Fields of FitConfig that follow the CoJEPA paper."""


@pretrain_app.command("bank")
def bank_command(
    folders: Annotated[
        list[Path],
        typer.Argument(help="Folders with wav, flac, ogg, opus, mp3 or archives of them."),
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="Folder of the bank; an existing bank is extended."),
    ],
    dtype: Annotated[
        Literal["uint8", "float16"],
        typer.Option(help="Number type of the frames: 14 or 28 MB per hour."),
    ] = "uint8",
    held_out: Annotated[
        float | None,
        typer.Option(
            help="Share of the works that are held out for validation. Default: 0.05, at least 8."
        ),
    ] = None,
    jobs: Annotated[int, typer.Option(help="Number of processes. 0 is one per core.")] = 0,
) -> None:
    """Decode folders of music once and store the frames that ViT-1D trains on.

    May be killed at any time: the same command continues with the missing tracks.
    """
    from mirprobe.pretraining.bank import HeldOut
    from mirprobe.pretraining.build_bank import build_bank

    rule = None if held_out is None else HeldOut(fraction=held_out)
    bank = build_bank(folders, output, dtype=dtype, held_out=rule, jobs=jobs)
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
@options_from(FitConfig, DeviceConfig, Intervals, skip=NOT_OPTIONS)
def fit_command(
    bank: Annotated[Path, typer.Argument(help="A bank made by `mirprobe pretrain bank`.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder of the training. Continues a killed run.")
    ],
    config: Annotated[Literal["vit1d", "vit1d-rope"], typer.Option(help="The model.")] = "vit1d",
    begin_with: Annotated[
        Path | None,
        typer.Option(help="Weights of an earlier training to start from. Default: random ones."),
    ] = None,
    **given: Any,
) -> None:
    """Train ViT-1D on a bank.

    May be killed at any time: the same command continues from the last saved state. On the CPU the
    weights are those of an uninterrupted run.
    """
    from mirprobe.pretraining.bank import Bank
    from mirprobe.pretraining.fit import fit
    from mirprobe.vit1d.model import CONFIGS

    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it announces itself
    model, options = CONFIGS[config], build(FitConfig, given)
    device_config, intervals = build(DeviceConfig, given), build(Intervals, given)
    done = fit(
        Bank.open(bank, expected=model.frontend), output, model=model, config=options,
        begin_with=begin_with, device_config=device_config, intervals=intervals,
    )  # fmt: skip
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
    checkpoint: Annotated[Path, typer.Argument(help="Weights that a training wrote.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")],
) -> None:
    """Write the weights of a training in float16, the format of the included weights."""
    from mirprobe.vit1d.checkpoint import export

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
    from mirprobe.core.output_file import check_output
    from mirprobe.core.plotting import ENDINGS, require_matplotlib
    from mirprobe.pretraining.plot_curves import draw

    check_output(output, ENDINGS)
    require_matplotlib()
    write_whole(output, draw(runs, output.suffix))
    typer.echo(str(output))
