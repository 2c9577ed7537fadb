"""The command `mirprobe symmetry`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mirprobe.cli.errors import fail_if_any
from mirprobe.cli.options import options_from
from mirprobe.cli.tables import print_left_out, print_table
from mirprobe.evaluation.config import RunConfig, make_config

OPTIONS = (
    "encoders", "dataset", "train_dataset", "test_dataset", "test_tracks", "perturb", "layers",
    "limit", "test_limit", "device", "dtype", "precision", "engine", "data_home", "cache_dir",
    "local_dir",
)  # fmt: skip
HEADERS = {
    "cosine": "cosine",
    "other": "other tracks",
    "invariance": "invariance",
    "r2": "R2",
    "r2_random": "R2 random",
    "r2_unmapped": "R2 unmapped",
}


@options_from(RunConfig, only=OPTIONS)
def symmetry_command(
    output: Annotated[Path, typer.Option("--output", "-o", help="FILE.csv to write.")] = Path(
        "symmetry.csv"
    ),
    **given: Any,
) -> None:
    """Show how the embeddings of each layer follow an effect on the audio, without a probe.

    Invariance: the cosine of the embeddings before and after, against that of other tracks.
    Equivariance: R2 on test tracks of a linear map between them, fitted on training tracks.
    """
    from mirprobe.core.atomic_write import write_whole
    from mirprobe.core.output_file import check_output
    from mirprobe.evaluation.symmetry import symmetry
    from mirprobe.reporting.tables import number, span

    check_output(output, (".csv",))
    config = make_config(given)
    found = symmetry(config)
    for text, rows in found.rows.groupby("perturbation", sort=False):
        cells = []
        for place, own in rows.groupby(["encoder", "layer", "source"], sort=False):
            shown = {}
            for measure, *values in own[["measure", "value", "low", "high"]].to_numpy().tolist():
                ends = span(*values[1:]) if measure in ("invariance", "r2") else ""
                shown[measure] = number(values[0]) + (f" ({ends})" if ends else "")
            encoder, layer, source = map(str, place)
            cells.append([encoder, f"{layer} {source}", *(shown[name] for name in HEADERS)])
        headers = ["encoder", "layer", *HEADERS.values()]
        title = f"{text} on {config.data}, {rows['n'].iloc[0]} test tracks, 95 % intervals"
        print_table(headers, cells, text=headers[:2], wrapped=headers[:2], title=title)
    print_left_out(found.problems)
    write_whole(output, found.rows.to_csv(index=False, lineterminator="\n").encode())
    typer.echo(f"written: {output}")
    fail_if_any(list(found.failures.values()), 1)
