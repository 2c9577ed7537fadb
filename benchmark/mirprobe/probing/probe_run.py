"""The settings of a cell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mirprobe.core.schema import Level
from mirprobe.probing.probes import AdamWConfig, ProbeConfig
from mirprobe.probing.subsets import FULL, FewLabels


@dataclass(frozen=True)
class ProbeRun:
    """The settings of a cell, in addition to the task and the embeddings.

    Attributes:
        layers: probed layers of the encoder, in the order of the embeddings.
        sources: of its clip-level vectors, in the order of the embeddings.
        frame_rate: frames a second; None without frames.
        config: of the probes.
        seeds: of the probes' initial weights. Probes at the optimum of a convex problem do not
            depend on it: they have the first seed only.
        row: the fields of `Score` that are the same in all rows, `encoder`, `task` and `cell`
            among them.
        few: subsets of the training split that are probed too.
        readings: `retrieval`, `code`: what else is scored, in the tasks that have it.
        pooling: of clip tasks over time: `mean` for the encoder's clip-level vectors, `mean+std`
            and `max` for those of its frames.
        conditions: what follows the task's own in the column of that name.
        components: how many principal components of the training split to probe; None for the
            whole embeddings.
        folder: whose disk holds clip vectors and logits while the cell is computed; None for the
            system's folder of temporary files.
        device: of the training.
        threads: of the training, and processes that decode; no result depends on it.
        controls: whether to score chance and ceiling, which do not depend on the embeddings.
    """

    layers: tuple[str, ...]
    sources: tuple[str, ...]
    frame_rate: float | None
    config: ProbeConfig
    seeds: tuple[int, ...]
    row: Mapping[str, Any]
    few: FewLabels = FULL
    readings: tuple[str, ...] = ()
    pooling: tuple[str, ...] = ("mean",)
    conditions: str = ""
    components: int | None = None
    folder: Path | None = None
    device: str = "cpu"
    threads: int = 1
    controls: bool = True

    @property
    def weighted(self) -> bool:
        """Whether a probe reads a weighted sum of all layers."""
        return isinstance(self.config, AdamWConfig) and self.config.weighted

    @property
    def parts(self) -> int:
        """Parts of a track of which a probe reads a weighted sum; 0 for other probes."""
        return _parts(self.config)

    def views(self, level: Level) -> set[Level]:
        """The views of embeddings that a task of this level reads."""
        return views_of(level, self.config, self.pooling)


def _parts(config: ProbeConfig) -> int:
    return config.parts if isinstance(config, AdamWConfig) else 0


def views_of(level: Level, config: ProbeConfig, pooling: Sequence[str]) -> set[Level]:
    """The views of embeddings that probes of a task of this level read."""
    if level == "frame" or _parts(config):
        return {"frame"}
    return {"clip" if name == "mean" else "frame" for name in pooling}


def all_views(views: Iterable[set[Level]]) -> list[Level]:
    """The views that any of several tasks reads, sorted."""
    return sorted(set[Level]().union(*views))
