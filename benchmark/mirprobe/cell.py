"""One cell of the results: an encoder's embeddings, a task, and every score that comes of them.

Probes train on `train`; `valid` chooses learning rate, decoding parameters, layer and source; each
chosen probe then meets `test` once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf, isnan
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mirprobe.annotations import check, to_json
from mirprobe.errors import ConfigError, TrackError
from mirprobe.examples import Examples, InMemory, with_shuffled
from mirprobe.metrics.statistic import bootstrap, point
from mirprobe.probes import ProbeConfig, Probes, threads, train
from mirprobe.schema import SPLITS, Annotations, Embedding, Floats, Frames, Score, Split, Track
from mirprobe.task import Task

Logits = NDArray[np.float32]
Parameters = Mapping[str, float]
Problems = dict[str, str]

SHUFFLE_SEED = 20250623
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
    """

    layers: tuple[str, ...]
    sources: tuple[str, ...]
    frame_rate: float | None
    config: ProbeConfig
    seeds: tuple[int, ...]
    row: Mapping[str, Any]


@dataclass
class CellResult:
    """Scores, the predictions behind them, and the tracks that could not be used and why."""

    scores: list[Score] = field(default_factory=list)
    predictions: list[dict[str, Any]] = field(default_factory=list)
    problems: Problems = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class _Half:
    """The usable tracks of one split, aligned lists."""

    ids: list[str]
    references: list[Annotations]
    times: list[Floats | None]
    frames: list[Frames]
    targets: list[NDArray[Any]]


def run_cell(
    task: Task,
    tracks: Mapping[Split, Sequence[tuple[Track, Embedding]]],
    setup: Setup,
    bar: str = "",
) -> CellResult:
    """Train, select and score.

    Raises:
        ConfigError: a split has no usable track.
    """
    result = CellResult()
    halves = {split: _prepare(task, tracks[split], setup, result.problems) for split in SPLITS}
    for split, half in halves.items():
        if not half.ids:
            why = next(iter(result.problems.values()), "it is empty")
            raise ConfigError(f"task '{task.name}': no usable track in split '{split}' ({why})")
    rng = np.random.default_rng(SHUFFLE_SEED)
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
    with threads(1):
        scorer = _Scorer(task, halves["valid"], halves["test"], setup, result)
        _score_probes(scorer, probes)
        _score_controls(scorer, halves["train"])
    return result


def _prepare(
    task: Task, tracks: Sequence[tuple[Track, Embedding]], setup: Setup, problems: Problems
) -> _Half:
    half = _Half([], [], [], [], [])
    for track, embedding in tracks:
        frames, times = _rows(task, embedding, setup)
        try:
            check(track.annotations, task.annotation, embedding.duration)
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


@dataclass(frozen=True, eq=False)
class _Scorer:
    """Decodes logits, lets validation choose the parameters, scores on test, keeps the rows."""

    task: Task
    valid: _Half
    test: _Half
    setup: Setup
    result: CellResult

    def decode(
        self, half: _Half, logits: Sequence[Logits], decoding: str, parameters: Parameters
    ) -> list[Annotations]:
        clip = self.task.level == "clip"
        return [
            self.task.decode(own[0] if clip else own, times, decoding, parameters)
            for own, times in zip(logits, half.times, strict=True)
        ]

    def choose(self, logits: Sequence[Logits], decoding: str) -> tuple[float, Parameters]:
        """The best main metric on validation over the decoding's grid, the first of equals."""
        best: tuple[float, Parameters] | None = None
        for parameters in self.task.decodings[decoding]:
            estimates = self.decode(self.valid, logits, decoding, parameters)
            statistic = self.task.score(self.valid.references, estimates)[self.task.main_metric]
            value = point(statistic, len(estimates))
            if best is None or _worth(value) > _worth(best[0]):
                best = value, parameters
        assert best is not None
        return best

    def add(
        self,
        logits: Sequence[Logits],
        decoding: str,
        chosen: tuple[float, Parameters],
        **fields: Any,
    ) -> None:
        """Score the test logits of one probe or control; a row a metric."""
        validation, parameters = chosen
        estimates = self.decode(self.test, logits, decoding, parameters)
        described: dict[str, Any] = {
            **fields,
            "decoding": decoding,
            "parameters": json.dumps(dict(parameters)),
        }
        n = len(estimates)
        conditions = self.task.conditions(self.test.references)
        for metric, statistic in self.task.score(self.test.references, estimates).items():
            low, high = bootstrap(statistic, n)
            values: dict[str, Any] = {
                "metric": metric,
                "value": point(statistic, n),
                "low": low,
                "high": high,
            }
            self.result.scores.append(
                Score(
                    **self.setup.row,
                    **described,
                    **values,
                    main=metric == self.task.main_metric,
                    n=n,
                    validation=validation,
                    conditions=conditions,
                )
            )
        tracks = {
            track: to_json(estimate)
            for track, estimate in zip(self.test.ids, estimates, strict=True)
        }
        self.result.predictions.append({**described, "tracks": tracks})


def _worth(value: float) -> float:
    """A metric for comparison: what validation cannot tell (NaN) is worse than anything it can."""
    return -inf if isnan(value) else value


def _score_probes(scorer: _Scorer, probes: Probes) -> None:
    """The layer-by-source table, and the shuffled control of the variant that wins in it."""
    task, setup = scorer.task, scorer.setup
    variants = _variants(task, setup)
    valid = _predict(probes, scorer.valid)
    first = next(iter(task.decodings))
    true = [index for index, group in enumerate(probes.groups) if group.condition == 0]
    shuffled = next(index for index, group in enumerate(probes.groups) if group.condition == 1)

    def pick(all_logits: list[Logits], group: int, variant: int, seed: int) -> list[Logits]:
        return [logits[variant, :, group, seed] for logits in all_logits]

    groups: dict[tuple[int, int], int] = {}  # (variant, seed) -> the learning rate's group
    chosen: dict[tuple[int, int, str], tuple[float, Parameters]] = {}
    for variant in range(len(variants)):
        for seed in range(len(setup.seeds)):
            found = {
                group: scorer.choose(pick(valid, group, variant, seed), first) for group in true
            }
            best = max(true, key=lambda group: _worth(found[group][0]))
            groups[variant, seed] = best
            chosen[variant, seed, first] = found[best]
            for decoding in list(task.decodings)[1:]:
                logits = pick(valid, best, variant, seed)
                chosen[variant, seed, decoding] = scorer.choose(logits, decoding)

    test = _predict(probes, scorer.test)
    for decoding in task.decodings:
        means = [
            np.mean(
                [_worth(chosen[variant, seed, decoding][0]) for seed in range(len(setup.seeds))]
            )
            for variant in range(len(variants))
        ]
        winner = int(np.argmax(means))
        for variant, (layer, source) in enumerate(variants):
            for seed, name in enumerate(setup.seeds):
                group = groups[variant, seed]
                where = {"layer": layer, "source": source, "seed": name}
                scorer.add(
                    pick(test, group, variant, seed),
                    decoding,
                    chosen[variant, seed, decoding],
                    kind="probe",
                    selected=variant == winner,
                    learning_rate=probes.groups[group].learning_rate,
                    **where,
                )
                if variant == winner:
                    scorer.add(
                        pick(test, shuffled, variant, seed),
                        decoding,
                        scorer.choose(pick(valid, shuffled, variant, seed), decoding),
                        kind="shuffled",
                        selected=True,
                        learning_rate=probes.groups[shuffled].learning_rate,
                        **where,
                    )


def _score_controls(scorer: _Scorer, train_half: _Half) -> None:
    """Chance, and for frame tasks the ceiling that the encoder's frame rate leaves."""
    task = scorer.task
    prior = _prior(task, train_half.targets)
    controls: dict[str, Callable[[NDArray[Any]], Logits]] = {
        "chance": lambda target: np.broadcast_to(prior, (len(target), len(prior)))
    }
    if task.level == "frame":
        controls["ceiling"] = lambda target: _certain(task, target)
    for kind, to_logits in controls.items():
        valid = [to_logits(target) for target in scorer.valid.targets]
        test = [to_logits(target) for target in scorer.test.targets]
        for decoding in task.decodings:
            scorer.add(
                test,
                decoding,
                scorer.choose(valid, decoding),
                kind=kind,
                selected=True,
                learning_rate=float("nan"),
                layer="",
                source="",
                seed=scorer.setup.seeds[0],
            )


def _predict(probes: Probes, half: _Half) -> list[Logits]:
    """Logits of each track, (variants, time, groups, seeds, classes)."""
    predicted = []
    for frames, target in zip(half.frames, half.targets, strict=True):
        one = Examples([frames], [target])
        with torch.no_grad():
            parts = [probes.logits(x).numpy() for x, _ in one.in_order()]
        predicted.append(np.concatenate(parts, axis=1))
    return predicted


def _prior(task: Task, targets: Sequence[NDArray[Any]]) -> Logits:
    """Logits (labels,) that say how frequent each label is in `targets`, and nothing else."""
    joined = np.concatenate(list(targets))
    if task.loss == "multiclass":
        counts = np.bincount(joined[joined >= 0], minlength=len(task.labels)) + 1e-6
        return np.asarray(np.log(counts / counts.sum()), dtype=np.float32)
    rate = joined.mean(axis=0).clip(1e-6, 1 - 1e-6)
    return np.asarray(np.log(rate / (1 - rate)), dtype=np.float32)


def _certain(task: Task, target: NDArray[Any]) -> Logits:
    """The reference as logits (time, labels); a frame outside the label space favours none."""
    if task.loss == "multiclass":
        hit = target[:, None] == np.arange(len(task.labels))
        return np.where(hit, _CERTAIN, 0).astype(np.float32)
    clipped = target.clip(1e-5, 1 - 1e-5)
    return np.asarray(np.log(clipped / (1 - clipped)), dtype=np.float32)
