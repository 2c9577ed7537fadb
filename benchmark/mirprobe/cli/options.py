"""Options and lines that `mirprobe run` and `mirprobe extract` have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from mirprobe.evaluation.extract import Extraction
    from mirprobe.evaluation.runner import RunResult

Encoder = Annotated[
    list[str] | None,
    typer.Option(
        help="NAME or FILE.py:CLASS, with options :option=value,..., or a combination such as "
        "concat(A,B), layers(A,4,8), pool(A,5); may be repeated."
    ),
]
Task = Annotated[list[str] | None, typer.Option(help="NAME; may be repeated.")]
Dataset = Annotated[
    str | None,
    typer.Option(help="NAME or NAME:option=value,...; A+B joins two. Default: studio."),
]
TrainDataset = Annotated[
    str | None, typer.Option(help="Train and validate on this one, instead of --dataset ...")
]
TestDataset = Annotated[str | None, typer.Option(help="... and test on this one.")]
TestTracks = Annotated[
    str | None,
    typer.Option(help="Of --test-dataset: all (default), or test: both keep to their splits."),
]
Size = Annotated[int | None, typer.Option(help="Pieces in the data set `studio`.")]
Layers = Annotated[str | None, typer.Option(help="thirds (default), all, or names: 4,8,12.")]
Device = Annotated[str | None, typer.Option(help="auto (default), cpu, cuda, mps.")]
Dtype = Annotated[
    str | None, typer.Option(help="Of cached embeddings: float16 (default) or float32.")
]
Precision = Annotated[
    str | None, typer.Option(help="Of encoders' arithmetic: 32 (default), bf16, fp16, auto.")
]
Pca = Annotated[
    int | None, typer.Option(help="Probe so many principal components of the embeddings.")
]
Engine = Annotated[
    str | None, typer.Option(help="local (default), or ray: encode on the workers of a cluster.")
]
Limit = Annotated[int | None, typer.Option(help="At most so many tracks a split.")]
Strict = Annotated[
    bool | None, typer.Option("--strict", help="A track that cannot be used ends the run.")
]
DataHome = Annotated[
    Path | None, typer.Option(help="Data sets, one folder each. Default: ~/mir_datasets.")
]
CacheDir = Annotated[
    str | None,
    typer.Option(
        help="A folder, or an address such as s3://bucket/path. Default: embeddings_cache."
    ),
]
Suite = Annotated[
    str | None,
    typer.Option(
        help="Name (see `mirprobe list suites`) or YAML file of these fields. Options win "
        "over it; of a suite of several runs, --task chooses those that have the task."
    ),
]

_SEVERAL = {"encoder": "encoders", "task": "tasks", "seed": "seeds"}


def fields_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a RunConfig that options stand for.

    Args:
        given: the value of each option, by name; None where it was not given.

    Raises:
        ConfigError: `size` does not go with the data set.
    """
    from mirprobe.api.specs import with_option

    values = {_SEVERAL.get(name, name): value for name, value in given.items()}
    size, layers = values.pop("size"), values["layers"]
    if size is not None:
        values["dataset"] = with_option(values["dataset"] or "studio", "size", size)
    if layers and "," in layers:
        values["layers"] = layers.split(",")
    return {name: value for name, value in values.items() if value is not None}


def report_left_out(results: Sequence[RunResult | Extraction]) -> None:
    """A line for each track that could not be used, and their number."""
    problems: dict[str, str] = {}
    for result in results:
        problems.update(result.problems)
    for track, reason in problems.items():
        typer.echo(f"left out: track '{track}': {reason}")
    if problems:
        tracks = "1 track" if len(problems) == 1 else f"{len(problems)} tracks"
        typer.echo(f"{tracks} left out; --strict makes this an error")
