"""Examples and targets of the tracks of a split, as a cell reads them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from mirprobe.api.task import Task
from mirprobe.core.annotations import check_annotation
from mirprobe.core.errors import ConfigError, TrackError
from mirprobe.core.schema import Embedding, Floats, Frames, Track
from mirprobe.probing.pooling import joined, mean_of_parts, pool_over_time
from mirprobe.probing.probe_rows import WEIGHTED
from mirprobe.probing.probe_run import ProbeRun
from mirprobe.probing.scratch import Scratch
from mirprobe.probing.split_data import SplitData


def prepare_split(
    task: Task,
    tracks: Iterable[tuple[Track, Embedding]],
    run: ProbeRun,
    room: Scratch,
    problems: dict[str, str],
) -> SplitData:
    """The usable tracks of a split.

    Args:
        task: the task.
        tracks: of the split, with their embeddings.
        run: the settings.
        room: for clip vectors.
        problems: gets track -> why it is not usable.

    Raises:
        ConfigError: the task gives targets of a wrong number, or that are not finite.
    """
    members = len(run.layers) if run.weighted else run.parts or 1
    split = SplitData([], [], [], [], [], [], members)
    for track, embedding in tracks:
        rows, times = _rows(task, embedding, run)
        try:
            check_annotation(track.annotations, task.annotation, embedding.duration)
            target = task.targets(track.annotations, times)
        except TrackError as error:
            problems[track.id] = f"{task.name}: {error}"
            continue
        target = target if times is not None else target[None]
        if len(target) != rows.shape[0]:
            raise ConfigError(
                f"task '{task.name}': {len(target)} targets for {rows.shape[0]} frames of track "
                f"'{track.id}'; give one a frame"
            )
        if task.loss == "regression" and not np.isfinite(target).all():
            raise ConfigError(
                f"task '{task.name}': a target of track '{track.id}' is not finite; give numbers, "
                "or raise a TrackError to leave the track out"
            )
        split.ids.append(track.id)
        split.references.append(track.annotations)
        split.times.append(times)
        # only vectors of usable tracks are kept: those of a split are joined
        split.frames.append(room.keep(rows) if isinstance(rows, np.ndarray) else rows)
        split.targets.append(target)
        split.groups.append(track.group or track.id)
    if task.level == "clip" and split.ids:
        split.frames[:] = [room.joined(split.frames)]
        split.targets[:] = [np.concatenate(split.targets)]
    return split


def _rows(
    task: Task, embedding: Embedding, run: ProbeRun
) -> tuple[Frames | NDArray[np.float32], Floats | None]:
    """The examples of one track, (time, variants, dim), and their times (None for a clip)."""
    if task.level == "frame":
        assert embedding.frames is not None
        assert run.frame_rate is not None
        return embedding.frames, np.arange(embedding.frames.shape[0]) / run.frame_rate
    rows = []
    if "clip" in run.views(task.level):
        assert embedding.clip is not None
        mean = embedding.clip.mean(axis=0, dtype=np.float32)  # over windows: (sources, layers, dim)
        rows.append(mean.reshape(-1, mean.shape[-1]))
    if "frame" in run.views(task.level):
        assert embedding.frames is not None
        others = [name for name in run.pooling if name != "mean" and not run.parts]
        rows += [pool_over_time(embedding.frames, name) for name in others]
        if run.parts:
            rows += [*mean_of_parts(embedding.frames, run.parts)]
    return joined(rows)[None], None


def variants_of(task: Task, run: ProbeRun) -> list[tuple[str, str]]:
    """(layer, source) of each variant, in the order of `_rows`."""
    sources: tuple[str, ...] = ("sequence",)
    if task.level == "clip" and run.parts:
        sources = ("attention",)
    elif task.level == "clip":
        own = run.sources if "mean" in run.pooling else ()
        sources = *own, *(name for name in run.pooling if name != "mean")
    if run.weighted:
        return [(WEIGHTED, source) for source in sources]
    return [(layer, source) for source in sources for layer in run.layers]
