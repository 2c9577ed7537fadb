"""`mirprobe emergence`: surveys, probes, verdicts, and the folder that they are written to."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from mirprobe.core.atomic_write import write_whole
from mirprobe.core.errors import ConfigError, StorageError
from mirprobe.core.hashing import file_digest
from mirprobe.core.plotting import require_matplotlib
from mirprobe.data.tracks import limited, prepare, splits_hash
from mirprobe.emergence import onsets, probing, similarity
from mirprobe.emergence.baselines import baselines
from mirprobe.emergence.charts import onsets_chart, similarity_chart, sources_chart
from mirprobe.emergence.claims import Claim, Evidence, Result, judge
from mirprobe.emergence.models import trained, untrained
from mirprobe.emergence.report import write_page
from mirprobe.emergence.survey import survey
from mirprobe.emergence.tracks import usable
from mirprobe.evaluation.config import RunConfig
from mirprobe.evaluation.provenance import PACKAGES
from mirprobe.evaluation.setup import make_dataset
from mirprobe.vit1d.checkpoint import read_notes


@dataclass(frozen=True)
class Study:
    """What came of it.

    Attributes:
        claims: the five, judged.
        folder: where everything lies.
        problems: track -> why it was left out.
    """

    claims: list[Claim]
    folder: Path
    problems: Mapping[str, str]


def study(
    config: RunConfig,
    checkpoint: Path,
    folder: Path,
    *,
    seed: int = 0,
    controls: int = 3,
    jobs: int = 1,
) -> Study:
    """Do all of it.

    Args:
        config: data set, limit, cache, device and number types; its other fields are not used.
        checkpoint: of the model under study.
        folder: gets `README.md`, three tables, three figures, `emergence.json` and `runs/`.
        seed: of pairs, random guesses and the bootstrap.
        controls: how many random weights, at least 1.
        jobs: processes.

    Raises:
        ConfigError: a name, a number or the data set cannot serve.
        StorageError: the checkpoint cannot be read or the folder not written.
        MirprobeError: a probe failed.
    """
    require_matplotlib()
    for name, value, least in (("seed", seed, 0), ("controls", controls, 1), ("jobs", jobs, 1)):
        if value < least:
            raise ConfigError(f"--{name} is {value}; it must be at least {least}")
    device = config.torch_device()
    model = trained(checkpoint)
    described = _describe(checkpoint)
    twins = untrained(model.config, controls)
    dataset = make_dataset(config)
    tracks = limited(dataset, config.limit)
    _make(folder)
    prepare(dataset, [*tracks["valid"], *tracks["test"]])
    frontend = model.config.frontend
    splits, problems = usable(tracks, frontend.sample_rate, jobs)
    evidence = Evidence(seed=seed)
    plain = baselines(frontend, splits, seed=seed, jobs=jobs)
    evidence.onsets += plain.onsets
    evidence.similarities += plain.similarities
    for weights in (model, *twins):
        found = survey(weights, splits, seed=seed, device=device, jobs=jobs)
        evidence.onsets += found.onsets
        evidence.similarities += found.similarities
    _write_table(folder / "onsets.csv", evidence.onsets, onsets.COLUMNS)
    _write_table(folder / "similarity.csv", evidence.similarities, similarity.COLUMNS)
    evidence.probes, unprobed = probing.probe(model, twins, dataset, config, folder / "runs")
    _write_table(folder / "sources.csv", evidence.probes, probing.COLUMNS)
    problems = {**unprobed, **problems}
    provenance = {
        "checkpoint": described,
        "model": model.config.as_dict(),
        "dataset": config.data,
        "limit": config.limit,
        "splits_hash": splits_hash(tracks),
        "tracks": {split: len(own) for split, own in splits.items()},
        "seed": seed,
        "controls": controls,
        "problems": problems,
        "versions": {
            "python": platform.python_version(),
            **{package: version(package) for package in (*PACKAGES, "matplotlib")},
        },
    }
    claims = judge(evidence)
    _write(folder, claims, evidence, provenance)
    return Study(claims, folder, problems)


def _describe(checkpoint: Path) -> dict[str, Any]:
    """Name, digest and notes of a checkpoint."""
    try:
        digest = file_digest(checkpoint)
    except OSError as error:
        raise StorageError(f"{checkpoint}: cannot be read ({error.strerror or error})") from error
    return {"name": checkpoint.name, "sha256": digest, "notes": read_notes(checkpoint)}


def _make(folder: Path) -> None:
    """Create the folder before any work, so that one which cannot be written shows at once."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"{folder}: cannot be created ({error.strerror or error}); name another with --output"
        ) from error


def _write_table(path: Path, results: Sequence[Result], columns: Sequence[str]) -> None:
    table = pd.DataFrame([dict(one.row) for one in results], columns=list(columns))
    content = table.to_csv(index=False, float_format="%.6g", lineterminator="\n")
    write_whole(path, content.encode())


def _write(
    folder: Path,
    claims: Sequence[Claim],
    evidence: Evidence,
    provenance: Mapping[str, Any],
) -> None:
    """Figures, provenance, and last the page that shows them."""
    charts: dict[str, bytes] = {}
    if evidence.onsets:
        charts["onsets"] = onsets_chart(evidence.onsets)
    if evidence.similarities:
        charts["similarity"] = similarity_chart(evidence.similarities)
    if evidence.probes:
        charts["sources"] = sources_chart(evidence.probes)
    for name, content in charts.items():
        write_whole(folder / f"{name}.png", content)
    write_whole(folder / "emergence.json", (json.dumps(provenance, indent=1) + "\n").encode())
    page = write_page(claims, evidence, provenance, list(charts))
    write_whole(folder / "README.md", page.encode())
