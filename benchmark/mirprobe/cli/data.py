"""The commands `mirprobe data`: list data sets, show what is missing, fetch and check them."""

from __future__ import annotations

from collections import Counter
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mirprobe.cli.errors import OneLineErrors
from mirprobe.cli.options import options_from
from mirprobe.cli.tables import print_left_out, print_table
from mirprobe.core.errors import ConfigError, plugin_errors
from mirprobe.evaluation.config import RunConfig, make_config

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirprobe.core.schema import Track
    from mirprobe.data.paths import DataFolders

data_app = typer.Typer(
    cls=OneLineErrors, help="List, fetch and check data sets.", no_args_is_help=True
)

FOLDERS = ("data_home", "cache_dir", "local_dir")
SHOWN = 10
"""Number of missing files that `status` lists."""

Name = Annotated[str, typer.Argument(help="NAME or NAME:option=value,...")]


@data_app.command("list")
@options_from(RunConfig, only=FOLDERS)
def list_command(**given: Any) -> None:
    """List every registered data set: size, licence, and whether its folder has files."""
    from mirprobe.api.dataset import DatasetInfo
    from mirprobe.api.registry import DATASETS
    from mirprobe.data.status import dataset_status

    rows, unknown = [], DatasetInfo(licence="?", source="?", obtain="?")
    for name in DATASETS.names():
        found = dataset_status(name, folders_of(given))
        sheet = found.sheet or unknown
        tracks = "?" if sheet.tracks is None else str(sheet.tracks)
        notes = "; ".join(filter(None, (sheet.licence, sheet.caution)))
        present = "yes" if found.present else "no"
        rows.append((name, tracks, _number(sheet.hours), _number(sheet.gigabytes), present, notes))
    headers = ("data set", "tracks", "hours", "GB", "there", "licence")
    print_table(headers, rows, text=("data set", "there", "licence"), wrapped=("licence",))
    typer.echo("? means unknown; `mirprobe data status NAME` says how to get a data set")


@data_app.command("status")
@options_from(RunConfig, only=FOLDERS)
def status_command(
    name: Name,
    splits: Annotated[
        Path | None,
        typer.Option(help="Folder to write the track ids of each split to, as SPLIT.txt."),
    ] = None,
    **given: Any,
) -> None:
    """Show the folder of a data set, which files are missing and how to get them."""
    from mirprobe.data.status import dataset_files
    from mirprobe.reporting.run_folder import write_splits

    with _named(name):
        found = dataset_files(name, folders_of(given))
    sheet, missing = found.status.sheet, found.missing
    typer.echo(f"folder   {found.status.root}")
    if sheet is not None:
        typer.echo(f"source   {sheet.source}\nlicence  {sheet.licence}\nto get   {sheet.obtain}")
        if sheet.caution:
            typer.echo(f"note     {sheet.caution}")
    if found.problem:
        typer.echo(f"missing  {found.problem}")
        return
    sizes = {split: len(tracks) for split, tracks in found.splits.items()}
    tracks = sum(sizes.values())
    typer.echo(f"splits   {', '.join(f'{s} {n}' for s, n in sizes.items())}; {found.hash}")
    typer.echo(f"there    audio of {tracks - len(missing)} of {tracks} tracks")
    # generated files are made when they are needed
    shown = 0 if sheet is not None and sheet.generated else SHOWN
    for path in missing[:shown]:
        typer.echo(f"missing  {path}")
    if len(missing) > shown > 0:
        typer.echo(f"missing  and {len(missing) - shown} more files")
    if splits is not None:
        write_splits(splits, found.splits)
        typer.echo(f"written  {splits}")


@data_app.command("prepare")
@options_from(RunConfig, only=FOLDERS)
def prepare_command(name: Name, **given: Any) -> None:
    """Download the files of a data set, or generate its audio."""
    from mirprobe.api.dataset import root_of
    from mirprobe.data.status import dataset_status, prepare_dataset
    from mirprobe.data.tracks import tracks_of

    found = dataset_status(name, folders_of(given))
    generated = found.sheet is None or found.sheet.generated
    with _named(name):
        dataset = folders_of(given).open(name)
        downloaded = prepare_dataset(dataset)
        tracks = tracks_of(dataset.splits())
        root = root_of(dataset) or found.root
    if not downloaded and not generated:
        typer.echo("nothing to download: the files in its folder are used")
    there = sum(track.audio.is_file() for track in tracks)
    typer.echo(f"{root}: audio of {there} of {len(tracks)} tracks")


@data_app.command("check")
@options_from(RunConfig, only=FOLDERS)
def check_command(name: Name, **given: Any) -> None:
    """Open every file and annotation of a data set; exit status 1 if anything is broken."""
    from mirprobe.data.status import check
    from mirprobe.data.tracks import tracks_of

    with _named(name):
        dataset = folders_of(given).open(name)
        splits = dataset.splits()
        tracks = tracks_of(splits)
        if tracks and not any(track.audio.is_file() for track in tracks):
            raise ConfigError(f"'{name}' has no audio yet; first: mirprobe data prepare {name}")
        found = check(dataset)
    for finding in found:
        what = " ".join(finding.what.split())
        typer.echo(f"track '{finding.track}': {what}" if finding.track else what)
    for split, own in splits.items():
        typer.echo(f"{split}: {len(own)} tracks in {len({track.group for track in own})} groups")
    fields = Counter(field for track in tracks for field in track.annotations.given())
    for field, count in sorted(fields.items()):
        typer.echo(f"{field}: {count} of {len(tracks)} tracks")
    typer.echo(f"{len(tracks)} tracks, {len(found)} findings")
    if found:
        raise typer.Exit(1)


@data_app.command("audit")
@options_from(RunConfig, only=FOLDERS)
def audit_command(
    names: Annotated[list[str], typer.Argument(help="Data sets: NAME or NAME:option=value,...")],
    **given: Any,
) -> None:
    """Find tracks of different splits with equal or near-equal audio, or of one group.

    Of several data sets, tracks of different data sets are compared too. Exit status 1 if there are
    any pairs, or if audio cannot be read.
    """
    from mirprobe.data.find_leaks import leaks
    from mirprobe.data.tracks import prepare_audio, read_splits, tracks_of

    sides: dict[str, Sequence[Track]] = {}
    for name in names:
        with _named(name):
            dataset = folders_of(given).open(name)
            tracks = read_splits(dataset)
            prepare_audio(dataset, tracks_of(tracks))
        prefix = f"{name} " if len(names) > 1 else ""
        sides |= {f"{prefix}{split}": own for split, own in tracks.items()}
    problems: dict[str, str] = {}
    found = list(leaks(sides, problems))
    for leak in found:
        (one, left), (other, right) = leak.first, leak.second
        typer.echo(f"{left} '{one}' and {right} '{other}': {leak.what}")
    print_left_out(problems)
    count = sum(len(own) for own in sides.values())
    typer.echo(f"{count} tracks, {len(found)} pairs in different splits")
    if found or problems:
        raise typer.Exit(1)


def _named(name: str) -> AbstractContextManager[None]:
    remedy = "check it with `mirprobe validate-dataset`"
    return plugin_errors(f"data set '{name}' raised an error", remedy)


def folders_of(given: dict[str, Any]) -> DataFolders:
    """The folders of data sets that the options `FOLDERS` name."""
    from mirprobe.data.paths import DataFolders

    config = make_config(given)
    return DataFolders(config.local_folder, config.data_home)


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:.1f}"
