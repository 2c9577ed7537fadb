"""Computes one cell of the results: probes an encoder's embeddings in a task and scores them.

Probes train on `train`. The loss on `valid` chooses weight decay or learning rate. The main metric
on `valid` chooses the parameters of each decoding, then layer and source of each decoding. Each
probe is scored on `test` once.

One more probe is trained at equal terms: on the last layer, reduced to `EQUAL_DIM` principal
components. It is never selected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from mirprobe.api.specs import nearest
from mirprobe.api.task import Task
from mirprobe.core.annotations import check_annotation
from mirprobe.core.errors import ConfigError, TrackError
from mirprobe.core.parallel import torch_threads
from mirprobe.core.schema import SPLITS, Embedding, Floats, Frames, Level, Loss, Split, Track
from mirprobe.probing.adamw import train_adamw
from mirprobe.probing.batches import Examples, shuffle_targets
from mirprobe.probing.chance_ceiling import CHANCE_SEED, score_ceiling, score_chance
from mirprobe.probing.knn import train_knn
from mirprobe.probing.lbfgs import train_lbfgs
from mirprobe.probing.pca import Projection
from mirprobe.probing.pooling import joined, mean_of_parts, pool_over_time
from mirprobe.probing.probe_rows import (
    WEIGHTED,
    Inputs,
    every_variant,
    fixed_variants,
    only,
    score_perturbed,
    score_probes,
    score_reduced,
    score_subset,
)
from mirprobe.probing.probes import AdamWConfig, Fitted, KnnConfig, LbfgsConfig, ProbeConfig
from mirprobe.probing.readings import has_reading, score_code, score_retrieval
from mirprobe.probing.results import Cell
from mirprobe.probing.scoring import Scorer
from mirprobe.probing.scratch import Scratch, scratch
from mirprobe.probing.selection import EQUAL_DIM
from mirprobe.probing.split_data import SplitData
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


def run_cell(
    task: Task,
    tracks: Mapping[Split, Iterable[tuple[Track, Embedding]]],
    run: ProbeRun,
    progress: str = "",
    perturbed: Mapping[str, Iterable[tuple[Track, Embedding]]] | None = None,
) -> Cell:
    """Train probes, choose on validation and score on test.

    Peak memory does not grow with layers, sources, seeds or rates times examples: clip vectors and
    logits lie in a temporary file.

    Args:
        task: the task.
        tracks: of each split, with their embeddings; each is asked for once.
        run: the settings.
        progress: label of the progress bar.
        perturbed: perturbation -> test tracks with it, and their embeddings.

    Raises:
        ConfigError: a split has no usable track, or the task's loss is unknown.
        StorageError: the temporary file cannot be written.
    """
    if task.loss not in get_args(Loss):
        raise ConfigError(
            f"task '{task.name}': unknown loss '{task.loss}'; {nearest(task.loss, get_args(Loss))}"
        )
    with scratch(run.folder) as room:
        return _run(task, tracks, run, room, progress, perturbed or {})


def _run(
    task: Task,
    tracks: Mapping[Split, Iterable[tuple[Track, Embedding]]],
    run: ProbeRun,
    room: Scratch,
    progress: str,
    perturbed: Mapping[str, Iterable[tuple[Track, Embedding]]],
) -> Cell:
    cell = Cell(run.row["cell"], run.row["encoder"], run.row["task"])
    splits = {split: _prepare(task, tracks[split], run, room, cell.problems) for split in SPLITS}
    for name, split in splits.items():
        if not split.ids:
            why = next(iter(cell.problems.values()), "it is empty")
            raise ConfigError(f"task '{task.name}': no usable track in split '{name}' ({why})")
    if run.components is not None and (run.weighted or run.parts):
        what = "'weighted' adds layers" if run.weighted else "'attentive' adds parts of a track"
        raise ConfigError(f"probe {what}, which have different components; drop pca")
    projection = None
    if run.components is not None:
        projection = Projection.fit(splits["train"].frames, run.components)
        splits = {
            name: replace(split, frames=projection.of(split.frames))
            for name, split in splits.items()
        }
    train, valid, test = (splits[name] for name in SPLITS)

    def fit(
        train: SplitData, valid: SplitData, config: ProbeConfig
    ) -> tuple[Fitted, Callable[[int], Fitted]]:
        """Probes of every variant, and what trains those of one on shuffled labels."""
        inputs, checks = every_variant(train), every_variant(valid)
        probes = _train(task, inputs, checks, config, run, progress)
        random = _shuffled(train, valid)

        def on_shuffled(variant: int) -> Fitted:
            own = config.only(probes.fits[variant][0])
            shuffled, check = map(only(variant), random)
            return _train(task, shuffled, check, own, run, progress)

        return probes, on_shuffled

    variants = _variants(task, run)
    with torch_threads(1):
        row = {**run.row, "train_tracks": len(train.ids)}
        scorer = Scorer(task, valid, test, row, run.seeds, cell, room, run.threads)
        selected = score_probes(scorer, *fit(train, valid, run.config), variants)
        for text, own in perturbed.items():
            disturbed = _prepare(task, own, run, room, {})
            if projection is not None:
                disturbed = replace(disturbed, frames=projection.of(disturbed.frames))
            if disturbed.ids:
                score_perturbed(scorer, selected, disturbed, text)
        if reduced := _equal_components(train, variants):
            inputs, variant = reduced
            probes = _train(task, inputs(train), inputs(valid), run.config, run, progress)
            score_reduced(scorer, probes, inputs, variant)
        if run.controls:
            score_chance(scorer, train.targets)
        if run.controls and task.level == "frame":
            score_ceiling(scorer)
        if "retrieval" in run.readings and has_reading("retrieval", task):
            score_retrieval(scorer, _variants(task, replace(run, config=KnnConfig(()))))
        if "code" in run.readings and has_reading("code", task):

            def on_part(part: SplitData, check: SplitData, variant: int) -> Fitted:
                inputs, checks = map(only(variant), (part, check))
                return _train(task, inputs, checks, run.config.coarse(), run, progress)

            chosen = selected.chosen[1], selected.variant
            score_code(scorer, train, _shuffled(train, valid), chosen, on_part)
        for subset in run.few.subsets(task, train, valid, room):
            row = {**run.row, "resample": subset.repeat, "subset": subset.name}
            row["train_tracks"] = len(subset.train.ids)
            score_subset(
                replace(scorer, row=row, valid=subset.valid),
                *fit(subset.train, subset.valid, run.config.coarse()),
                variants,
                control=not subset.repeat,
            )
    if run.conditions:
        cell.scores[:] = [
            replace(one, conditions=", ".join(filter(None, (one.conditions, run.conditions))))
            for one in cell.scores
        ]
    return cell


def _shuffled(train: SplitData, valid: SplitData) -> tuple[SplitData, SplitData]:
    """The splits with shuffled labels."""
    rng = np.random.default_rng(CHANCE_SEED)
    shuffled = [shuffle_targets(own.targets, rng) for own in (train, valid)]
    return replace(train, targets=shuffled[0]), replace(valid, targets=shuffled[1])


def _equal_components(
    train: SplitData, variants: Sequence[tuple[str, str]]
) -> tuple[Inputs, tuple[str, str]] | None:
    """The last layer reduced to `EQUAL_DIM` components: its examples, and layer and source.

    Returns:
        None if the embeddings have no more dimensions, or the training split too few vectors.
    """
    few = min(train.frames[0].shape[-1], every_variant(train).count) <= EQUAL_DIM
    if few or train.members > 1 or not fixed_variants(variants):
        return None
    [last] = [index for index, place in fixed_variants(variants).items() if "last" in place]
    projection = Projection.fit(only(last)(train).frames, EQUAL_DIM)
    return lambda split: projection.examples(only(last)(split)), variants[last]


def _train(
    task: Task,
    train: Examples,
    valid: Examples,
    config: ProbeConfig,
    run: ProbeRun,
    progress: str,
) -> Fitted:
    classes = len(task.labels)
    if isinstance(config, LbfgsConfig):
        return train_lbfgs(
            train,
            valid,
            config,
            loss=task.loss,
            classes=classes,
            device=run.device,
            threads=run.threads,
            progress=progress,
        )
    if isinstance(config, KnnConfig):
        return train_knn(train, valid, config, loss=task.loss, classes=classes)
    return train_adamw(
        train,
        valid,
        config,
        level=task.level,
        loss=task.loss,
        classes=classes,
        seeds=run.seeds,
        device=run.device,
        progress=progress,
    )


def _prepare(
    task: Task,
    tracks: Iterable[tuple[Track, Embedding]],
    run: ProbeRun,
    room: Scratch,
    problems: dict[str, str],
) -> SplitData:
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


def _variants(task: Task, run: ProbeRun) -> list[tuple[str, str]]:
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
