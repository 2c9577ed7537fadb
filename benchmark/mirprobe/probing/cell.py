"""Computes one cell of the results: probes an encoder's embeddings in a task and scores them.

Probes train on `train`. The loss on `valid` chooses weight decay or learning rate. The main metric
on `valid` chooses the parameters of each decoding, then layer and source of each decoding. Each
probe is scored on `test` once.

One more probe is trained at equal terms: on the last layer, reduced to `EQUAL_DIM` principal
components. It is never selected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import get_args

import numpy as np

from mirprobe.api.specs import nearest
from mirprobe.api.task import Task
from mirprobe.core.errors import ConfigError
from mirprobe.core.parallel import torch_threads
from mirprobe.core.schema import SPLITS, Embedding, Loss, Split, Track
from mirprobe.probing.adamw import train_adamw
from mirprobe.probing.batches import Examples, shuffle_targets
from mirprobe.probing.chance_ceiling import CHANCE_SEED, score_ceiling, score_chance
from mirprobe.probing.knn import train_knn
from mirprobe.probing.lbfgs import train_lbfgs
from mirprobe.probing.pca import Projection
from mirprobe.probing.prepare import prepare_split, variants_of
from mirprobe.probing.probe_rows import (
    Inputs,
    every_variant,
    fixed_variants,
    only,
    score_perturbed,
    score_probes,
    score_reduced,
    score_retrained,
    score_subset,
)
from mirprobe.probing.probe_run import ProbeRun
from mirprobe.probing.probes import Fitted, KnnConfig, LbfgsConfig, ProbeConfig
from mirprobe.probing.results import Cell
from mirprobe.probing.retrieval_and_code import has_reading, score_code, score_retrieval
from mirprobe.probing.scoring import Scorer
from mirprobe.probing.scratch import Scratch, scratch
from mirprobe.probing.selection import EQUAL_DIM
from mirprobe.probing.split_data import SplitData


def run_cell(
    task: Task,
    tracks: Mapping[Split, Iterable[tuple[Track, Embedding]]],
    run: ProbeRun,
    progress: str = "",
    perturbed: Mapping[str, Mapping[Split, Iterable[tuple[Track, Embedding]]]] | None = None,
) -> Cell:
    """Train probes, choose on validation and score on test.

    Peak memory does not grow with layers, sources, seeds or rates times examples: clip vectors and
    logits lie in a temporary file.

    Args:
        task: the task.
        tracks: of each split, with their embeddings; each is asked for once.
        run: the settings.
        progress: label of the progress bar.
        perturbed: perturbation -> test tracks with it, and their embeddings; with tracks of all
            splits, probes are trained on them too.

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
    perturbed: Mapping[str, Mapping[Split, Iterable[tuple[Track, Embedding]]]],
) -> Cell:
    cell = Cell(run.row["cell"], run.row["encoder"], run.row["task"])
    splits = {
        split: prepare_split(task, tracks[split], run, room, cell.problems) for split in SPLITS
    }
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

    variants = variants_of(task, run)
    with torch_threads(1):
        row = {**run.row, "train_tracks": len(train.ids)}
        scorer = Scorer(task, valid, test, row, run.seeds, cell, room, run.threads)
        selected = score_probes(scorer, *fit(train, valid, run.config), variants)
        for text, own in perturbed.items():
            disturbed = {
                split: prepare_split(task, one, run, room, {}) for split, one in own.items()
            }
            if projection is not None:
                disturbed = {
                    split: replace(one, frames=projection.of(one.frames))
                    for split, one in disturbed.items()
                }
            if not all(one.ids for one in disturbed.values()):
                continue
            score_perturbed(scorer, selected, disturbed["test"], text)
            if "train" in disturbed:
                probes, _ = fit(disturbed["train"], disturbed["valid"], run.config)
                score_retrained(scorer, probes, variants, disturbed, text)
        if reduced := _equal_components(train, variants):
            inputs, variant = reduced
            probes = _train(task, inputs(train), inputs(valid), run.config, run, progress)
            score_reduced(scorer, probes, inputs, variant)
        if run.controls:
            score_chance(scorer, train.targets)
        if run.controls and task.level == "frame":
            score_ceiling(scorer)
        if "retrieval" in run.readings and has_reading("retrieval", task):
            score_retrieval(scorer, variants_of(task, replace(run, config=KnnConfig(()))))
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
