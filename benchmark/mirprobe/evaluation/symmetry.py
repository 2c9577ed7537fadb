"""Invariance and equivariance of encoders by layer: `mirprobe symmetry`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mirprobe.api.dataset import Dataset
from mirprobe.api.encoder import Encoder
from mirprobe.core.confidence_intervals import jackknife
from mirprobe.core.errors import ConfigError, StorageError
from mirprobe.core.schema import SPLITS, Split, Track
from mirprobe.data.perturb import parse_perturbations
from mirprobe.data.tracks import Tracks, tracks_of
from mirprobe.embedding.embedder import Embedder, read_embedding
from mirprobe.evaluation.config import RunConfig
from mirprobe.evaluation.failures import noted
from mirprobe.evaluation.perturbed_annotations import perturbed_tracks
from mirprobe.evaluation.plan import Plan, planned
from mirprobe.probing.symmetry import equivariance, invariance

COLUMNS = [
    "encoder", "dataset", "perturbation", "layer", "source", "measure", "value", "low", "high",
    "n",
]  # fmt: skip
"""Of the table: `measure` is a name that `invariance` or `equivariance` returns."""

Vectors = Mapping[str, NDArray[np.float32]]
"""Track -> (sources, layers, dim)."""


@dataclass
class Symmetry:
    """What was measured.

    Attributes:
        rows: with `COLUMNS`.
        problems: track -> why it could not be used.
        failures: encoder -> why it failed.
    """

    rows: pd.DataFrame
    problems: dict[str, str] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)


def symmetry(
    config: RunConfig,
    *,
    encoders: Mapping[str, Encoder] | None = None,
    dataset: Dataset | None = None,
) -> Symmetry:
    """Embed the tracks of all splits with and without each perturbation, and compare.

    Of encoders with several draws the first is taken. No label and no probe is needed.

    Args:
        config: names encoders, layers, data set and perturbations.
        encoders: instances to use for specifications rather than the registry's.
        dataset: an instance to use rather than the registry's.

    Raises:
        ConfigError: an unknown name, no perturbation, or a split without usable tracks.
        StorageError: the cache cannot be written.
    """
    if not parse_perturbations(config.perturb):
        raise ConfigError("nothing to compare with; give --perturb, such as transpose=-2,2")
    with planned(config, encoders=encoders, dataset=dataset) as plan:
        done = Symmetry(pd.DataFrame(columns=COLUMNS), failures=dict(plan.broken))
        plan = replace(plan, perturbed=perturbed_tracks(plan, SPLITS, ()))
        plan.prepare()
        rows: list[dict[str, Any]] = []
        for name, probed in plan.encoders.items():
            fatal = (ConfigError, StorageError)
            with noted(done.failures, name, f"encoder '{name}'", fatal=fatal):
                embedder = plan.embedder(probed)
                before = _vectors(plan, embedder, plan.tracks, done.problems)
                for text, tracks in plan.perturbed.items():
                    after = _vectors(plan, embedder, tracks, done.problems)
                    places = [
                        (layer, source) for source in probed.encoder.sources
                        for layer in probed.layers
                    ]  # fmt: skip
                    for place, measures in zip(places, _measures(plan, before, after), strict=True):
                        shared = dict(zip(("layer", "source"), place, strict=True))
                        shared |= {"encoder": name, "dataset": config.data, "perturbation": text}
                        rows += [{**shared, **measure} for measure in measures]
        done.rows = pd.DataFrame(rows, columns=COLUMNS)
    return done


def _vectors(plan: Plan, embedder: Embedder, tracks: Tracks, problems: dict[str, str]) -> Vectors:
    filled, _ = plan.fill(embedder, ["clip"], tracks_of(tracks), problems)
    found: dict[str, NDArray[np.float32]] = {}
    for track, keys in filled.items():
        clip = read_embedding(plan.cache, keys).clip
        assert clip is not None
        found[track] = clip.mean(axis=0, dtype=np.float32)  # over windows
    return found


def _measures(plan: Plan, before: Vectors, after: Vectors) -> Iterator[list[dict[str, Any]]]:
    """The measures of each layer and source, in the order of the vectors."""
    tracks: dict[Split, Sequence[Track]] = {
        split: [one for one in plan.tracks[split] if one.id in before and one.id in after]
        for split in SPLITS
    }
    for split, own in tracks.items():
        if not own:
            raise ConfigError(f"no track of split '{split}' can be used")
    groups = [track.group or track.id for track in tracks["test"]]
    sources, layers, _ = next(iter(before.values())).shape
    for source, layer in np.ndindex(sources, layers):

        def stacked(side: Vectors, split: Split, place: tuple[int, int]) -> NDArray[np.float32]:
            return np.stack([side[track.id][place] for track in tracks[split]])

        train, valid, test = (
            (stacked(before, split, (source, layer)), stacked(after, split, (source, layer)))
            for split in SPLITS
        )
        statistics = {**invariance(test, groups), **equivariance(train, valid, test)}
        rows = []
        for name, statistic in statistics.items():
            estimate = jackknife(statistic, groups)
            interval = estimate.interval
            row = {"measure": name, "value": estimate.value, "n": statistic.n}
            rows.append({**row, "low": interval.low, "high": interval.high})
        yield rows
