"""`mirprobe emergence`: evaluate models and probes, check the claims and write the report."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from mirprobe.core.atomic_write import write_whole
from mirprobe.core.errors import ConfigError, StorageError
from mirprobe.core.hashing import file_digest
from mirprobe.core.plotting import require_matplotlib
from mirprobe.data.tracks import limit_tracks, prepare_audio, splits_hash
from mirprobe.emergence import onset_scores, probing, similarity_scores
from mirprobe.emergence.baselines import baselines
from mirprobe.emergence.checks import Claim
from mirprobe.emergence.claims import ResultTables, evaluate_claims
from mirprobe.emergence.evaluate_model import evaluate_model
from mirprobe.emergence.models import random_specs, trained_spec
from mirprobe.emergence.report import write_report
from mirprobe.emergence.report_figures import onsets_chart, similarity_chart, sources_chart
from mirprobe.emergence.rows import ScoredRow, groups_of
from mirprobe.emergence.usable_tracks import usable_tracks
from mirprobe.evaluation.config import RunConfig
from mirprobe.evaluation.device import find_device
from mirprobe.evaluation.environment import versions
from mirprobe.evaluation.setup import make_dataset
from mirprobe.vit1d.checkpoint import read_notes


@dataclass(frozen=True)
class EmergenceResult:
    """Outcome of `mirprobe emergence`.

    Attributes:
        claims: the five claims with their verdicts.
        folder: output folder.
        problems: id of a track -> the reason why it was left out.
    """

    claims: list[Claim]
    folder: Path
    problems: Mapping[str, str]


def run_emergence(
    config: RunConfig,
    checkpoint: Path,
    folder: Path,
    *,
    seed: int = 0,
    seeds: int = 20,
    probe_seeds: int = 5,
    jobs: int = 1,
) -> EmergenceResult:
    """Evaluate a model against random weights and baselines, and check the five claims.

    Args:
        config: data set, limit, cache, device and number types; its other fields are not used.
        checkpoint: weights of the model under study.
        folder: gets `README.md`, three tables, three figures, `emergence.json` and `runs/`.
        seed: seed of pairs and chance onsets.
        seeds: number of models with random weights, at least 2, for claims 4 and 5.
        probe_seeds: how many of them are probed, at least 2, for claims 1 to 3.
        jobs: number of processes.

    Raises:
        ConfigError: a name, a number or the data set is not usable.
        StorageError: the checkpoint cannot be read or the folder cannot be written.
        MirprobeError: a probe failed.
    """
    require_matplotlib()
    least = {"seed": (seed, 0), "seeds": (seeds, 2), "probe-seeds": (probe_seeds, 2)}
    for name, (value, bound) in {**least, "jobs": (jobs, 1)}.items():
        if value < bound:
            raise ConfigError(f"--{name} is {value}; it must be at least {bound}")
    device = find_device(config.device)
    model = trained_spec(checkpoint)
    try:
        sha256 = file_digest(checkpoint)
    except OSError as error:
        raise StorageError(f"{checkpoint}: cannot be read ({error.strerror or error})") from error
    dataset = make_dataset(config)
    tracks = limit_tracks(dataset, config.limit, config.limit)
    try:  # before any work, so that an error is reported at once
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"{folder}: cannot be created ({error.strerror or error}); name another with --output"
        ) from error
    prepare_audio(dataset, [*tracks["valid"], *tracks["test"]])
    frontend = model.config.frontend
    splits, problems = usable_tracks(tracks, frontend.sample_rate, jobs)
    tables = ResultTables()
    tables.onsets, tables.similarities = baselines(frontend, splits, seed=seed, jobs=jobs)
    for weights in (model, *random_specs(model.config, seeds)):
        found = evaluate_model(weights, splits, seed=seed, device=device, jobs=jobs)
        tables.onsets += found[0]
        tables.similarities += found[1]
    _write_table(folder / "onsets.csv", tables.onsets, onset_scores.COLUMNS)
    _write_table(folder / "similarity.csv", tables.similarities, similarity_scores.COLUMNS)
    probed = [model, *random_specs(model.config, probe_seeds)]
    tables.probes, unprobed = probing.probe(probed, dataset, config, folder / "runs")
    _write_table(folder / "sources.csv", tables.probes, probing.COLUMNS)
    problems = {**unprobed, **problems}
    provenance = {
        "checkpoint": {"name": checkpoint.name, "sha256": sha256, "notes": read_notes(checkpoint)},
        "model": model.config.as_dict(),
        "dataset": config.data,
        "limit": config.limit,
        "splits_hash": splits_hash(tracks),
        "tracks": {split: len(own) for split, own in splits.items()},
        "test_groups": len(set(groups_of(splits["test"]))),
        "seed": seed,
        "seeds": seeds,
        "probe_seeds": probe_seeds,
        "problems": problems,
        "versions": {
            **versions(),
            "matplotlib": version("matplotlib"),
        },
    }
    charts: dict[str, bytes] = {}
    for name, draw, rows in (
        ("onsets", onsets_chart, tables.onsets),
        ("similarity", similarity_chart, tables.similarities),
        ("sources", sources_chart, tables.probes),
    ):
        if rows:
            charts[name] = draw(rows, config.data)
            write_whole(folder / f"{name}.png", charts[name])
    write_whole(folder / "emergence.json", (json.dumps(provenance, indent=1) + "\n").encode())
    claims = evaluate_claims(tables)
    page = write_report(claims, tables, provenance, list(charts))
    write_whole(folder / "README.md", page.encode())  # last
    return EmergenceResult(claims, folder, problems)


def _write_table(path: Path, results: Sequence[ScoredRow], columns: list[str]) -> None:
    table = pd.DataFrame([one.row for one in results], columns=columns)
    content = table.to_csv(index=False, float_format="%.6g", lineterminator="\n")
    write_whole(path, content.encode())
