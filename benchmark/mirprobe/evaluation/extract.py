"""Fills the cache with the embeddings of a run and probes nothing: `mirprobe extract`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from mirprobe.api.dataset import Dataset
from mirprobe.api.encoder import Encoder
from mirprobe.api.specs import nearest
from mirprobe.core.errors import ConfigError, StorageError, TrackError
from mirprobe.core.schema import Level
from mirprobe.data.tracks import tracks_of
from mirprobe.evaluation.config import RunConfig
from mirprobe.evaluation.failures import noted
from mirprobe.evaluation.perturbed_annotations import perturbed_tracks
from mirprobe.evaluation.plan import Plan, planned
from mirprobe.evaluation.setup import ProbedEncoder, make_task
from mirprobe.probing.probe_run import all_views, views_of
from mirprobe.probing.probes import probe_config

Views = Literal["clip", "frame", "both"]


@dataclass
class Extraction:
    """The outcome of filling the cache.

    Attributes:
        tracks: number of tracks in all splits, and of disturbed ones.
        encoded: encoder -> number of tracks that were not in the cache.
        problems: track -> why it could not be used.
        failures: encoder -> why it failed.
    """

    tracks: int
    encoded: dict[str, int] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)


def extract(
    config: RunConfig,
    level: Views | None = None,
    *,
    encoders: Mapping[str, Encoder] | None = None,
    dataset: Dataset | None = None,
) -> Extraction:
    """Fill the cache with the embeddings that a run of the same configuration reads.

    Args:
        config: of the run; nothing is probed and no result is written.
        level: the views; `both` are clips and, of encoders that have them, frames. None means what
            the tasks of `config` need.
        encoders: instances to use for specifications rather than the registry's.
        dataset: an instance to use rather than the registry's.

    Raises:
        ConfigError: an unknown name, or an unsuitable data set.
        TrackError: a track cannot be used and `config.strict` is set.
        StorageError: the cache cannot be written.
    """
    with planned(config, encoders=encoders, dataset=dataset) as plan:
        levels = _levels(plan, level)
        plan = _disturbed(plan)
        plan.prepare()
        count = len(plan.every_track) + sum(len(tracks_of(own)) for own in plan.perturbed.values())
        done = Extraction(count, failures=dict(plan.broken))
        for name, probed in plan.encoders.items():
            own = levels
            if "frame" in levels and probed.encoder.frame_rate is None:
                own = [one for one in levels if one != "frame"]
                if level != "both":
                    done.failures[name] = (
                        f"encoder '{name}' has no frames (frame_rate is None); use clip-level "
                        "tasks or --level clip"
                    )
            if own:
                _fill(plan, probed, own, done)
    return done


def check(config: RunConfig, level: Views | None = None) -> None:
    """Refuse what `extract` refuses before any work.

    Raises:
        ConfigError: as for `extract`.
    """
    with planned(config) as plan:
        _levels(plan, level)
        _disturbed(plan)


def _disturbed(plan: Plan) -> Plan:
    """The plan with its disturbed tracks, without annotations."""
    return replace(plan, perturbed=perturbed_tracks(plan, plan.perturbed_splits, ()))


def _levels(plan: Plan, level: Views | None) -> list[Level]:
    if level is not None and level not in get_args(Views):
        raise ConfigError(f"unknown level '{level}'; {nearest(level, get_args(Views))}")
    if level is None:
        config = plan.config
        probe = probe_config(config.preset, config.probe)
        tasks = (make_task(name, plan.dataset) for name in config.tasks)
        return all_views(views_of(task.level, probe, config.pooling_names) for task in tasks)
    return ["clip", "frame"] if level == "both" else [level]


def _fill(plan: Plan, probed: ProbedEncoder, levels: list[Level], done: Extraction) -> None:
    """Embed the tracks with one encoder; its error does not stop the other encoders."""
    name, fatal = probed.name, (ConfigError, StorageError, TrackError)
    done.encoded[name] = 0
    with noted(done.failures, name, f"encoder '{name}'", fatal=fatal):
        for draw in range(len(probed.draws)):
            embedder = plan.embedder(probed, draw)
            try:
                plan.fill(embedder, levels, plan.every_track, done.problems)
                if not draw:
                    plan.fill_perturbed(embedder, levels, done.problems)
            finally:
                done.encoded[name] += embedder.encoded
