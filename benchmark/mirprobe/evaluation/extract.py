"""Embeddings alone: what a run asks of encoders, and `mirprobe extract` without any probing."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from mirprobe.api.dataset import Dataset
from mirprobe.api.encoder import Encoder
from mirprobe.api.specs import nearest
from mirprobe.core.errors import ConfigError, EncoderError, TrackError
from mirprobe.core.schema import Level
from mirprobe.evaluation.config import RunConfig
from mirprobe.evaluation.plan import Plan, planned
from mirprobe.evaluation.setup import make_task

log = logging.getLogger(__name__)

Views = Literal["clip", "frame", "both"]


@dataclass
class Extraction:
    """What came of filling the cache.

    Attributes:
        tracks: of all splits.
        encoded: encoder -> tracks that the cache did not hold.
        problems: track -> why it could not be used.
        failures: encoder -> why it did not do all that was asked.
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
    """Fill the cache with what a run of the same configuration would look for there.

    Args:
        config: of the run; nothing is probed and no result is written.
        level: the views; `both` are clips and, of encoders that have them, frames. None is what
            the tasks of `config` need.
        encoders: as for `planned`.
        dataset: likewise.

    Raises:
        ConfigError: an unknown name, or a data set that cannot serve.
        TrackError: a track cannot be used and `config.strict` is set.
        StorageError: the cache cannot be written.
    """
    if level is not None and level not in get_args(Views):
        raise ConfigError(f"unknown level '{level}'; {nearest(level, get_args(Views))}")
    with planned(config, encoders=encoders, dataset=dataset) as plan:
        levels = _levels(plan, level)
        plan.prepare()
        done = Extraction(len(plan.every_track))
        for spec, encoder in plan.encoders.items():
            own = levels
            if "frame" in levels and encoder.frame_rate is None:
                own = [name for name in levels if name != "frame"]
                if level != "both":
                    done.failures[spec] = (
                        f"encoder '{spec}' has no frames (frame_rate is None); clip-level tasks "
                        "and --level clip are for it"
                    )
            if own:
                _fill(plan, spec, own, done)
    return done


def _levels(plan: Plan, level: Views | None) -> list[Level]:
    if level is None:
        return sorted({make_task(name, plan.dataset).level for name in plan.config.tasks})
    return ["clip", "frame"] if level == "both" else [level]


def _fill(plan: Plan, spec: str, levels: list[Level], done: Extraction) -> None:
    """Do the work of one encoder; its error costs the others nothing."""
    embedder = plan.embedder(spec)
    try:
        for track, filled in plan.bar(spec, embedder.fill(plan.every_track, levels)):
            if isinstance(filled, TrackError):
                plan.note(done.problems, {track.id: str(filled)})
        plan.clock(embedder)
    except EncoderError as error:
        log.warning("%s", error)
        done.failures[spec] = str(error)
    done.encoded[spec] = embedder.encoded
