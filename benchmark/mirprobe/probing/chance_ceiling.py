"""Controls that need no probe: chance and ceiling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mirprobe.api.task import Task
from mirprobe.probing.logits import Logits, StoredLogits
from mirprobe.probing.scoring import Scorer
from mirprobe.probing.split_data import SplitData

CHANCE_SEED = 20250623
CHANCE_DRAWS = 4  # random orders of the labels that are equally frequent
_TIE = 1e-3  # in logits: breaks ties between equally frequent labels and changes no other order
_CERTAIN = 12.0  # logit of the true label where the reference is used as an estimate


def score_chance(scorer: Scorer, targets: Sequence[NDArray[Any]]) -> None:
    """Score a prediction from the label frequencies only, ties broken at random.

    In a regression the prediction is the mean of the targets.

    Args:
        scorer: of the cell.
        targets: of the training split.
    """
    prior = _prior(scorer.task, targets)
    rng = np.random.default_rng(CHANCE_SEED)
    tie = 0.0 if scorer.task.loss == "regression" else _TIE

    def predict(split: SplitData) -> StoredLogits:
        shapes = ((1, len(target), len(prior)) for target in split.targets)
        drawn = (prior + tie * rng.standard_normal(shape, np.float32) for shape in shapes)
        return scorer.keep(split, 1, drawn)[0]

    valid = predict(scorer.valid)
    draws = [predict(scorer.test) for _ in range(CHANCE_DRAWS)]
    for decoding in scorer.task.decodings:
        choice = scorer.choose(valid, decoding)
        estimates = (
            scorer.decode(scorer.test, draw, decoding, choice.parameters) for draw in draws
        )
        scorer.add_mean(estimates, decoding, choice, **scorer.no_probe("chance"))


def score_ceiling(scorer: Scorer) -> None:
    """Score the reference itself on the frames: the limit that frame rate and labels set."""

    def reference(split: SplitData) -> StoredLogits:
        blocks = (reference_logits(scorer.task, target)[None] for target in split.targets)
        return scorer.keep(split, 1, blocks)[0]

    valid, test = reference(scorer.valid), reference(scorer.test)
    for decoding in scorer.task.decodings:
        scorer.add(test, decoding, scorer.choose(valid, decoding), **scorer.no_probe("ceiling"))


def _prior(task: Task, targets: Sequence[NDArray[Any]]) -> Logits:
    """Log frequencies of the labels, (labels,); in a regression the mean of the targets."""
    joined = np.concatenate(list(targets))
    if task.loss == "regression":
        return np.asarray(joined.mean(axis=0), dtype=np.float32)
    if task.loss == "multiclass":
        counts = np.bincount(joined[joined >= 0], minlength=len(task.labels)) + 1e-6
        return np.asarray(np.log(counts / counts.sum()), dtype=np.float32)
    rate = joined.mean(axis=0).clip(1e-6, 1 - 1e-6)
    return np.asarray(np.log(rate / (1 - rate)), dtype=np.float32)


def reference_logits(task: Task, target: NDArray[Any]) -> Logits:
    """The reference as logits (time, labels); in a regression the reference itself.

    All labels of a frame outside the label space get the same logit.
    """
    if task.loss == "regression":
        return np.asarray(target, dtype=np.float32)
    if task.loss == "multiclass":
        hit = target[:, None] == np.arange(len(task.labels))
        return np.where(hit, _CERTAIN, 0).astype(np.float32)
    clipped = target.clip(1e-5, 1 - 1e-5)
    return np.asarray(np.log(clipped / (1 - clipped)), dtype=np.float32)
