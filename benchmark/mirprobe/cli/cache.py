"""The commands `mirprobe cache`: what the embeddings cache holds, whether it is intact, pruning."""

from __future__ import annotations

import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mirprobe.cli.errors import OneLineErrors
from mirprobe.cli.options import options_from
from mirprobe.cli.tables import print_table
from mirprobe.core.errors import ConfigError
from mirprobe.evaluation.config import RunConfig

if TYPE_CHECKING:
    from mirprobe.embedding.cache import Cache

cache_app = typer.Typer(
    cls=OneLineErrors, help="Maintain the embeddings cache.", no_args_is_help=True
)


@cache_app.command()
@options_from(RunConfig, only=("cache_dir", "local_dir"))
def info(**given: Any) -> None:
    """Entries and size by encoder and view."""
    from mirprobe.embedding.prune import list_entries

    cache = _open(given)
    sizes: dict[tuple[str, str], list[int]] = defaultdict(list)
    for item in list_entries(cache):
        sizes[item.encoder, item.view].append(item.size)
    rows = [
        (encoder or "(unreadable)", view, str(len(own)), _size(sum(own)))
        for (encoder, view), own in sorted(sizes.items())
    ]
    names = ("encoder", "view")
    print_table((*names, "entries", "size"), rows, text=names, wrapped=("encoder",))
    leftovers = len(list(cache.leftovers()))
    typer.echo(f"{sum(map(len, sizes.values()))} entries, {leftovers} leftovers")


@cache_app.command()
@options_from(RunConfig, only=("cache_dir", "local_dir"))
def verify(**given: Any) -> None:
    """Compare every entry with its checksum. Sets broken ones aside; exit status 1 if any is."""
    from tqdm import tqdm

    from mirprobe.embedding.prune import list_entries

    cache = _open(given)
    paths = [item.path for item in list_entries(cache)]
    progress = tqdm(paths, "verifying", leave=False, disable=None)
    broken = sum(cache.get(path.stem) is None for path in progress)
    typer.echo(f"{len(paths)} entries, {broken} broken")
    if broken:
        raise typer.Exit(1)


@cache_app.command()
@options_from(RunConfig, only=("cache_dir", "local_dir"))
def prune(
    encoder: Annotated[str | None, typer.Option(help="Delete entries of this encoder.")] = None,
    older_than: Annotated[
        float | None, typer.Option(help="Delete entries older than this many days.")
    ] = None,
    max_gb: Annotated[
        float | None, typer.Option(help="Delete the oldest entries above this many GB.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be deleted.")
    ] = False,
    **given: Any,
) -> None:
    """Delete leftovers of killed runs, broken entries, and the entries that options select.

    The finished cells of the encoder, and old ones, are deleted with them. At an address they are
    kept: they lie in the local folder, whose path --cache-dir takes too.
    """
    from tqdm import tqdm

    from mirprobe.embedding.prune import prune_candidates

    cache, now = _open(given), time.time()
    paths = prune_candidates(
        cache, now=now, encoder=encoder, older_than_days=older_than, max_gb=max_gb
    )
    for path in () if dry_run else tqdm(paths, "pruning", leave=False, disable=None):
        cache.remove(path)
    would = "would be " if dry_run else ""
    typer.echo(f"{len(paths)} files {would}deleted, {_size(sum(paths.values()))} {would}freed")


def _size(count: int) -> str:
    """A number of bytes in kB, MB or GB."""
    power, unit = (9, "GB") if count >= 1e9 else (6, "MB") if count >= 1e6 else (3, "kB")
    return f"{count / 10**power:.1f} {unit}"


def _open(given: dict[str, Any]) -> Cache:
    """The cache at an address or in an existing folder.

    Raises:
        ConfigError: the folder is missing, or the address has no entries.
    """
    from mirprobe.embedding.cache import Cache
    from mirprobe.embedding.remote_store import is_url
    from mirprobe.evaluation.config import make_config

    config = make_config(given)
    if not is_url(config.cache_dir) and not Path(config.cache_dir).is_dir():
        raise ConfigError(f"{config.cache_dir}: no such cache folder; name it with --cache-dir")
    cache = Cache(config.cache_dir, config.local_folder)
    if cache.remote is not None and not cache.remote.exists("entries"):
        raise ConfigError(f"{config.cache_dir}: no embeddings at this address; check --cache-dir")
    return cache
