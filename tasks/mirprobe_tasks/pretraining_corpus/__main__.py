"""Command line of the recipe: `python -m mirprobe_tasks.pretraining_corpus`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from mirprobe.cli.errors import OneLineErrors
from mirprobe_tasks.pretraining_corpus import recipe
from mirprobe_tasks.pretraining_corpus.debian import RECORDINGS, SOUND_FONTS, Fetched, fetch
from mirprobe_tasks.pretraining_corpus.extract_tunes import extract
from mirprobe_tasks.pretraining_corpus.recipe import WorkDir
from mirprobe_tasks.pretraining_corpus.render import Rendered, RenderPlan

app = typer.Typer(
    cls=OneLineErrors, help="Build the bank on which ViT-1D is pretrained.", no_args_is_help=True
)
Work = Annotated[Path, typer.Option(help="Folder of everything that is downloaded and extracted.")]
BankFolder = Annotated[Path, typer.Option("--bank", help="Folder of the bank.")]
Jobs = Annotated[int, typer.Option(help="Processes; 0 for one per core.")]
Hours = Annotated[float, typer.Option(help="Hours of rendered audio.")]
Seed = Annotated[int, typer.Option(help="Seed of tunes, bands and all random choices.")]
Bands = Annotated[int, typer.Option(help="Bands per sound font.")]
Versions = Annotated[int, typer.Option(help="Number of bands that play each tune.")]
Takes = Annotated[
    int, typer.Option(help="Takes of a tune by a band, with other keys or chords; 1 to 4.")
]
StudioFont = Annotated[bool, typer.Option(help="Whether to use the sound font of studio too.")]

WORK, BANK = Path("pretraining-data"), Path("bank")


@app.command("fetch")
def fetch_command(work: Work = WORK, studio_font: StudioFont = True) -> None:
    """Download the recordings and the sound fonts from Debian; nothing is installed."""
    if not _fetch(WorkDir(work), studio_font):
        raise typer.Exit(1)


@app.command("fonts")
def fonts_command(
    work: Work = WORK,
    packages: Annotated[
        list[str] | None, typer.Option("--package", help="Package; may be repeated. Default: all.")
    ] = None,
    studio_font: StudioFont = True,
) -> None:
    """Download only the sound fonts; those in WORK/font-packages/NAME need no network."""
    if not _fetch_fonts(WorkDir(work), studio_font, packages or SOUND_FONTS):
        raise typer.Exit(1)


@app.command("tunes")
def tunes_command(work: Work = WORK, jobs: Jobs = 0) -> None:
    """Extract the tunes of music21's corpus into one file."""
    _tunes(WorkDir(work), jobs)


@app.command("recordings")
def recordings_command(work: Work = WORK, bank: BankFolder = BANK, jobs: Jobs = 0) -> None:
    """Decode the recordings into the bank."""
    _recordings(WorkDir(work), bank, jobs)


@app.command("render")
def render_command(
    work: Work = WORK,
    bank: BankFolder = BANK,
    hours: Hours = 100.0,
    seed: Seed = 0,
    bands: Bands = 24,
    versions: Versions = 1,
    takes: Takes = 1,
    jobs: Jobs = 0,
) -> None:
    """Render tunes into the bank; needs no network and no music21."""
    plan = RenderPlan(hours=hours, seed=seed, bands=bands, versions=versions, takes=takes)
    _rendered(recipe.bank_renderings(WorkDir(work), bank, plan, jobs=jobs))


@app.command("check")
def check_command(bank: BankFolder = BANK) -> None:
    """Fail if the bank contains music of the benchmark's tests."""
    _check(bank)


@app.command("all")
def all_command(
    work: Work = WORK,
    bank: BankFolder = BANK,
    hours: Hours = 100.0,
    seed: Seed = 0,
    bands: Bands = 24,
    versions: Versions = 1,
    takes: Takes = 1,
    jobs: Jobs = 0,
    studio_font: StudioFont = True,
) -> None:
    """All steps in order. After an interruption, the same command continues.

    The exit status is 1 if a package cannot be downloaded; the bank is built without it.
    """
    work_dir = WorkDir(work)
    plan = RenderPlan(hours=hours, seed=seed, bands=bands, versions=versions, takes=takes)
    complete = _fetch(work_dir, studio_font)
    _recordings(work_dir, bank, jobs)
    _tunes(work_dir, jobs)
    _rendered(recipe.bank_renderings(work_dir, bank, plan, jobs=jobs))
    _check(bank)
    if not complete:
        raise typer.Exit(1)


def _fetch(work_dir: WorkDir, studio_font: bool) -> bool:
    complete = _report(fetch(RECORDINGS, work_dir.packages))
    return _fetch_fonts(work_dir, studio_font) and complete


def _fetch_fonts(
    work_dir: WorkDir, studio_font: bool, packages: Sequence[str] = SOUND_FONTS
) -> bool:
    fetched, ready = recipe.fetch_fonts(work_dir, packages, with_studio=studio_font)
    for font in ready:
        typer.echo(f"sound font: {font} ({font.stat().st_size / 1e6:.0f} MB)")
    return _report(fetched)


def _report(fetched: Fetched) -> bool:
    for folder in fetched.folders:
        typer.echo(f"package: {folder}")
    for package, reason in fetched.failed:
        typer.echo(f"cannot be downloaded: {package}: {reason}", err=True)
    return not fetched.failed


def _tunes(work_dir: WorkDir, jobs: int) -> None:
    if work_dir.tunes.exists():
        typer.echo(f"{work_dir.tunes}: exists; delete it to extract the tunes again")
        return
    found = extract(work_dir.tunes, jobs=jobs)
    for folder, count in found.tunes.most_common():
        typer.echo(f"tunes: {count} of {folder}")
    for reason, count in found.left_out.most_common():
        typer.echo(f"left out: {count} ({reason})")
    size = work_dir.tunes.stat().st_size / 1e6
    typer.echo(f"{work_dir.tunes}: {found.tunes.total()} tunes, {found.notes} notes, {size:.1f} MB")


def _recordings(work_dir: WorkDir, bank: Path, jobs: int) -> None:
    made = recipe.bank_recordings(work_dir, bank, jobs=jobs)
    typer.echo(f"{made.path}: {len(made.tracks)} tracks, {made.hours:.1f} h after the recordings")


def _rendered(done: Rendered) -> None:
    typer.echo(f"rendered: {done.tracks - done.present} tracks, {done.present} existed")
    if done.core_hours:
        typer.echo(f"{done.hours:.2f} h of audio, {done.speed:.1f} h per core-hour")


def _check(bank: Path) -> None:
    made = recipe.check(bank)
    held = f"{len(made.tracks)} tracks, {made.hours:.1f} h"
    typer.echo(f"{made.path}: {held}, by their names none is in a test")


if __name__ == "__main__":
    app()
