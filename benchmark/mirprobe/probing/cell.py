"""One cell of the results: an encoder's embeddings, a task, and every score that comes of them.

Probes train on `train`; `valid` chooses learning rate, decoding parameters, layer and source, for
each decoding its own; each chosen probe then meets `test` once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from mirprobe.api.specs import nearest
from mirprobe.api.task import Task
from mirprobe.core.annotations import check_annotation
from mirprobe.core.errors import ConfigError, TrackError
from mirprobe.core.parallel import torch_threads
from mirprobe.core.schema import SPLITS, Embedding, Floats, Frames, Loss, Split, Track
from mirprobe.probing.batches import Examples, InMemory, with_shuffled
from mirprobe.probing.pca import Projection
from mirprobe.probing.probes import ProbeConfig, Probes, train
from mirprobe.probing.selection import CellResult, Chosen, Half, Logits, Scorer, worth

CONTROL_SEED = 20250623
DRAWS = 4  # of the ties that chance breaks at random
_TIE = 1e-3  # in logits: decides between labels of equal frequency, and nothing else
_CERTAIN = 12.0  # logit of a reference that is fed back as an estimate, for the rate ceiling


@dataclass(frozen=True)
class Setup:
    """What a cell is computed with, beside the task and the embeddings.

    Attributes:
        layers: probed layers of the encoder, as they lie in the embeddings.
        sources: of its clip-level vectors, likewise.
        frame_rate: of its frames; None without frames.
        config: of the probes.
        seeds: of the probes' initial weights.
        row: the fields of `Score` that are the same in all rows.
        components: how many principal components of the training split to probe; None for the
            embeddings as they are.
    """

    layers: tuple[str, ...]
    sources: tuple[str, ...]
    frame_rate: float | None
    config: ProbeConfig
    seeds: tuple[int, ...]
    row: Mapping[str, Any]
    components: int | None = None


def run_cell(
    task: Task,
    tracks: Mapping[Split, Sequence[tuple[Track, Embedding]]],
    setup: Setup,
    bar: str = "",
) -> CellResult:
    """Train, select and score.

    Raises:
        ConfigError: a split has no usable track, or the task's loss is unknown.
    """
    if task.loss not in get_args(Loss):
        raise ConfigError(
            f"task '{task.name}': unknown loss '{task.loss}'; {nearest(task.loss, get_args(Loss))}"
        )
    result = CellResult()
    halves = {split: _prepare(task, tracks[split], setup, result.problems) for split in SPLITS}
    for split, half in halves.items():
        if not half.ids:
            why = next(iter(result.problems.values()), "it is empty")
            raise ConfigError(f"task '{task.name}': no usable track in split '{split}' ({why})")
    if setup.components is not None:
        projection = Projection.fit(halves["train"].frames, setup.components)
        halves = {
            split: replace(half, frames=projection.of(half.frames))
            for split, half in halves.items()
        }
    rng = np.random.default_rng(CONTROL_SEED)
    examples = {
        split: Examples(half.frames, with_shuffled(half.targets, rng))
        for split, half in halves.items()
    }
    probes = train(
        examples["train"],
        examples["valid"],
        config=setup.config,
        level=task.level,
        loss=task.loss,
        classes=len(task.labels),
        seeds=setup.seeds,
        bar=bar,
    )
    with torch_threads(1):
        scorer = Scorer(task, halves["valid"], halves["test"], setup.row, setup.seeds, result)
        _score_probes(scorer, probes, _variants(task, setup))
        _score_chance(scorer, _prior(task, halves["train"].targets))
        if task.level == "frame":
            _score_ceiling(scorer)
    return result


def _prepare(
    task: Task, tracks: Sequence[tuple[Track, Embedding]], setup: Setup, problems: dict[str, str]
) -> Half:
    half = Half([], [], [], [], [])
    for track, embedding in tracks:
        frames, times = _rows(task, embedding, setup)
        try:
            check_annotation(track.annotations, task.annotation, embedding.duration)
            target = task.targets(track.annotations, times)
        except TrackError as error:
            problems[track.id] = f"{task.name}: {error}"
            continue
        target = target if times is not None else target[None]
        if len(target) != frames.shape[0]:
            raise ConfigError(
                f"task '{task.name}': {len(target)} targets for {frames.shape[0]} frames of track "
                f"'{track.id}'; give one a frame"
            )
        if task.loss == "regression" and not np.isfinite(target).all():
            raise ConfigError(
                f"task '{task.name}': a target of track '{track.id}' is not finite; give numbers, "
                "or raise a TrackError to leave the track out"
            )
        half.ids.append(track.id)
        half.references.append(track.annotations)
        half.times.append(times)
        half.frames.append(frames)
        half.targets.append(target)
    return half


def _rows(task: Task, embedding: Embedding, setup: Setup) -> tuple[Frames, Floats | None]:
    """The examples of one track, (time, variants, dim), and their times (None for a clip)."""
    if task.level == "frame":
        assert embedding.frames is not None
        assert setup.frame_rate is not None
        return embedding.frames, np.arange(embedding.frames.shape[0]) / setup.frame_rate
    assert embedding.clip is not None
    mean = embedding.clip.mean(axis=0, dtype=np.float32)  # over windows: (sources, layers, dim)
    return InMemory(mean.reshape(1, -1, mean.shape[-1])), None


def _variants(task: Task, setup: Setup) -> list[tuple[str, str]]:
    """(layer, source) of each variant, in the order in which `_rows` lays them out."""
    sources = setup.sources if task.level == "clip" else ("sequence",)
    return [(layer, source) for source in sources for layer in setup.layers]


def _score_probes(scorer: Scorer, probes: Probes, variants: Sequence[tuple[str, str]]) -> None:
    """The layer-by-source table, and the controls of the variant that wins in it."""
    task, seeds = scorer.task, scorer.seeds
    valid = _predict(probes, scorer.valid)
    true = [index for index, group in enumerate(probes.groups) if group.condition == 0]
    shuffled = next(index for index, group in enumerate(probes.groups) if group.condition == 1)

    def pick(all_logits: list[Logits], group: int, variant: int, seed: int) -> list[Logits]:
        return [logits[variant, :, group, seed] for logits in all_logits]

    # by variant, seed and decoding: the learning rate's group, and the decoding's parameters
    chosen: dict[tuple[int, int, str], tuple[int, Chosen]] = {}
    for variant, seed, decoding in product(range(len(variants)), range(len(seeds)), task.decodings):
        tried = {
            group: scorer.choose(pick(valid, group, variant, seed), decoding) for group in true
        }
        best = max(true, key=lambda group: worth(tried[group][0]))
        chosen[variant, seed, decoding] = best, tried[best]

    test = _predict(probes, scorer.test)
    for decoding in task.decodings:
        means = [
            np.mean([worth(chosen[variant, seed, decoding][1][0]) for seed in range(len(seeds))])
            for variant in range(len(variants))
        ]
        winner = int(np.argmax(means))
        for variant, (layer, source) in enumerate(variants):
            for seed, name in enumerate(seeds):
                group, settled = chosen[variant, seed, decoding]
                where = {"layer": layer, "source": source, "seed": name}
                logits = pick(test, group, variant, seed)
                scorer.add(
                    scorer.decode(scorer.test, logits, decoding, settled[1]),
                    decoding,
                    settled,
                    kind="probe",
                    selected=variant == winner,
                    learning_rate=probes.groups[group].learning_rate,
                    **where,
                )
                if variant == winner:
                    own = scorer.choose(pick(valid, shuffled, variant, seed), decoding)
                    logits = pick(test, shuffled, variant, seed)
                    scorer.add(
                        scorer.decode(scorer.test, logits, decoding, own[1]),
                        decoding,
                        own,
                        kind="shuffled",
                        selected=True,
                        learning_rate=probes.groups[shuffled].learning_rate,
                        **where,
                    )


def _score_chance(scorer: Scorer, prior: Logits) -> None:
    """What the label frequencies of the training split alone are worth, ties broken at random.

    Of a regression: what the mean of the training targets is worth; numbers do not tie.
    """
    rng = np.random.default_rng(CONTROL_SEED)
    tie = 0.0 if scorer.task.loss == "regression" else _TIE

    def blind(half: Half) -> list[Logits]:
        shapes = [(len(target), len(prior)) for target in half.targets]
        return [prior + tie * rng.standard_normal(shape, np.float32) for shape in shapes]

    valid = blind(scorer.valid)
    draws = [blind(scorer.test) for _ in range(DRAWS)]
    for decoding in scorer.task.decodings:
        chosen = scorer.choose(valid, decoding)
        estimates = [scorer.decode(scorer.test, draw, decoding, chosen[1]) for draw in draws]
        scorer.add_mean(estimates, decoding, chosen, kind="chance", **_no_probe(scorer))


def _no_probe(scorer: Scorer) -> dict[str, Any]:
    """Fields of a control that no probe was trained for."""
    return {
        "selected": True,
        "learning_rate": float("nan"),
        "layer": "",
        "source": "",
        "seed": scorer.seeds[0],
    }


def _score_ceiling(scorer: Scorer) -> None:
    """What the encoder's frame rate and the label space leave: the reference as an estimate."""
    valid = [_certain(scorer.task, target) for target in scorer.valid.targets]
    test = [_certain(scorer.task, target) for target in scorer.test.targets]
    for decoding in scorer.task.decodings:
        chosen = scorer.choose(valid, decoding)
        scorer.add(
            scorer.decode(scorer.test, test, decoding, chosen[1]),
            decoding,
            chosen,
            kind="ceiling",
            **_no_probe(scorer),
        )


def _predict(probes: Probes, half: Half) -> list[Logits]:
    """Logits (regression: estimates) of each track, (variants, time, groups, seeds, classes)."""
    predicted = []
    for frames, target in zip(half.frames, half.targets, strict=True):
        one = Examples([frames], [target])
        with torch.no_grad():
            parts = [probes.outputs(x).numpy() for x, _ in one.in_order()]
        predicted.append(np.concatenate(parts, axis=1))
    return predicted


def _prior(task: Task, targets: Sequence[NDArray[Any]]) -> Logits:
    """Logits (labels,) that say how frequent each label is in `targets`, and nothing else.

    Of a regression: the mean of the targets.
    """
    joined = np.concatenate(list(targets))
    if task.loss == "regression":
        return np.asarray(joined.mean(axis=0), dtype=np.float32)
    if task.loss == "multiclass":
        counts = np.bincount(joined[joined >= 0], minlength=len(task.labels)) + 1e-6
        return np.asarray(np.log(counts / counts.sum()), dtype=np.float32)
    rate = joined.mean(axis=0).clip(1e-6, 1 - 1e-6)
    return np.asarray(np.log(rate / (1 - rate)), dtype=np.float32)


def _certain(task: Task, target: NDArray[Any]) -> Logits:
    """The reference as logits (time, labels); a frame outside the label space favours none.

    Of a regression: the reference itself.
    """
    if task.loss == "regression":
        return np.asarray(target, dtype=np.float32)
    if task.loss == "multiclass":
        hit = target[:, None] == np.arange(len(task.labels))
        return np.where(hit, _CERTAIN, 0).astype(np.float32)
    clipped = target.clip(1e-5, 1 - 1e-5)
    return np.asarray(np.log(clipped / (1 - clipped)), dtype=np.float32)
