"""The command `mirprobe extract`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mirprobe.cli import options
from mirprobe.cli.errors import one_line_errors
from mirprobe.cli.options import report_left_out
from mirprobe.core.errors import MirprobeError, StorageError


def extract_command(
    encoder: options.Encoder = None,
    task: options.Task = None,
    level: Annotated[
        str | None,
        typer.Option(
            help="clip, frame or both. Default: what the tasks need that --task or --suite name, "
            "or both."
        ),
    ] = None,
    dataset: options.Dataset = None,
    train_dataset: options.TrainDataset = None,
    test_dataset: options.TestDataset = None,
    test_tracks: options.TestTracks = None,
    size: options.Size = None,
    layers: options.Layers = None,
    device: options.Device = None,
    dtype: options.Dtype = None,
    precision: options.Precision = None,
    engine: options.Engine = None,
    limit: options.Limit = None,
    strict: options.Strict = None,
    data_home: options.DataHome = None,
    cache_dir: options.CacheDir = None,
    suite: options.Suite = None,
) -> None:
    """Fill the embeddings cache and probe nothing: one machine encodes, another one probes.

    A later `mirprobe run` with the same options finds all embeddings in the cache and encodes
    nothing. Exit status and messages are those of `run`.
    """
    given = dict(locals())
    from mirprobe.evaluation.config import make_config
    from mirprobe.evaluation.extract import extract
    from mirprobe.evaluation.suites import load_suite

    with one_line_errors():
        del given["suite"], given["level"]
        values = options.fields_of(given)
        configs = (make_config(values),) if suite is None else load_suite(suite, values)
        views: Any = level or ("both" if suite is None and task is None else None)
        results, reasons = [], []
        for config in configs:
            try:
                done = extract(config, views)
            except StorageError:  # no other run could write either
                raise
            except MirprobeError as error:
                reasons.append(f"{config.data}: {error}" if len(configs) > 1 else str(error))
                continue
            results.append(done)
            reasons += done.failures.values()
            for name, encoded in done.encoded.items():
                counts = f"{done.tracks} tracks, {encoded} encoded now"
                typer.echo(f"{name} on {config.data}: {counts}")
        report_left_out(results)
        if results:
            typer.echo(f"embeddings: {configs[0].cache_dir}")
        if len(configs) == 1 and reasons:
            raise MirprobeError("; ".join(reasons))
        for reason in reasons:
            typer.echo(f"error: {' '.join(reason.split())}", err=True)
        if reasons:
            raise typer.Exit(1)
