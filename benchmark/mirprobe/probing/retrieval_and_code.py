"""Other readings of the embeddings of a cell: retrieval without labels, and the length of a code.

Retrieval, of clip tasks with classes or tags: each test track is a query, the other test tracks
that are not of its group are sorted by the cosine to it. Those with the same class, or the same set
of tags, are relevant. Validation chooses layer and pooling by mAP. No probe is trained.

Online code (Voita & Titov, EMNLP 2020, section 2.2.2), of tasks with classes: how many bits the
labels of the training split cost if they are sent in blocks, each encoded by a probe that was
trained on the blocks before it. The first block costs the logarithm of the number of classes per
label. Groups of tracks are in random order; the weight decay is chosen on validation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import log, log2
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mirprobe.api.task import Task
from mirprobe.core.bootstrap import Statistic, weighted_mean
from mirprobe.core.schema import Floats
from mirprobe.probing.probe_rows import Variant, only
from mirprobe.probing.probes import Fitted
from mirprobe.probing.scoring import Scorer
from mirprobe.probing.scratch import Scratch
from mirprobe.probing.selection import best_on_validation
from mirprobe.probing.split_data import SplitData
from mirprobe.probing.subsets import nested_order

NEAREST = 10
BLOCKS = tuple(2.0**-power for power in range(6, -1, -1))
"""Ends of the blocks of the online code, as shares of the training tracks."""

Train = Callable[[SplitData, SplitData, int], Fitted]
"""Trains the probes of one variant on a training and a validation split."""


def has_reading(reading: str, task: Task) -> bool:
    """Whether a task has a reading."""
    if reading == "code":
        return task.loss == "multiclass"
    return task.level == "clip" and task.loss in ("multiclass", "multilabel")


def score_retrieval(scorer: Scorer, variants: Sequence[Variant]) -> None:
    """Add precision at 10 and mAP of the cosine neighbours, and the same with shuffled labels."""
    valid, test = ((split, split.targets[0]) for split in (scorer.valid, scorer.test))
    count = len(variants)
    found = {v: [_neighbours(*valid, v)["map"].value()] for v in range(count)}
    best = best_on_validation(found)
    shuffled = np.random.default_rng(0).permutation(test[1])
    for kind, targets in (("retrieval", test[1]), ("retrieval-shuffled", shuffled)):
        shared = {**scorer.no_probe(kind), "decoding": "cosine", "parameters": "{}"}
        shared |= {"layer": variants[best][0], "source": variants[best][1]}
        statistics = _neighbours(test[0], targets, best)
        scorer.add_rows(statistics, scorer.test.groups, found[best][0], **shared)


def _neighbours(split: SplitData, targets: NDArray[Any], variant: int) -> dict[str, Statistic]:
    vectors = np.concatenate([own.read()[:, variant] for own in split.frames])
    return retrieval(vectors, targets, split.groups)


def retrieval(
    vectors: NDArray[Any], targets: NDArray[Any], groups: Sequence[str]
) -> dict[str, Statistic]:
    """Precision at 10 and mAP of cosine neighbours.

    Args:
        vectors: (n, dim).
        targets: (n,) classes, below 0 for none, or (n, tags) relevances.
        groups: of each track; tracks of the group of a query are no candidates.

    Returns:
        Means over the queries that have a relevant candidate. Of fewer than 10 candidates all are
        counted.
    """
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True).clip(1e-12)
    sets = targets[:, None] if targets.ndim == 1 else targets > 0.5
    labelled = np.atleast_1d(targets >= 0 if targets.ndim == 1 else sets.any(axis=1))
    names = np.asarray(groups)
    precisions, averages, weights = [], [], []
    for query in range(len(unit)):
        candidates = np.flatnonzero(names != names[query])
        order = candidates[np.argsort(-(unit[candidates] @ unit[query]), kind="stable")]
        hits = (sets[order] == sets[query]).all(axis=1) & labelled[query]
        places = np.flatnonzero(hits) + 1
        weights.append(float(len(places) > 0))
        precisions.append(float(hits[:NEAREST].mean()) if len(places) else np.nan)
        precise = np.arange(1, len(places) + 1) / places
        averages.append(float(precise.mean()) if len(places) else np.nan)
    return {
        f"precision_at_{NEAREST}": weighted_mean(precisions, weights),
        "map": weighted_mean(averages, weights),
    }


def score_code(
    scorer: Scorer,
    train: SplitData,
    shuffled: tuple[SplitData, SplitData],
    chosen: tuple[int, Variant],
    fit: Train,
) -> None:
    """Add the length of the online code of the training labels, and of shuffled labels.

    Args:
        scorer: of the cell.
        train: the training split.
        shuffled: training and validation split with shuffled labels.
        chosen: index, layer and pooling that validation chose for the probe.
        fit: trains probes.
    """
    variant, (layer, source) = chosen
    classes = len(scorer.task.labels)
    splits = {"code": (train, scorer.valid), "code-shuffled": shuffled}
    for kind, (own, valid) in splits.items():

        def fit_part(part: SplitData, check: SplitData = valid) -> Fitted:
            return fit(part, check, variant)

        bits, counts = online_code(own, variant, classes, scorer.scratch, fit_part)
        shared = {**scorer.no_probe(kind), "decoding": "online", "parameters": "{}"}
        shared |= {"layer": layer, "source": source}
        statistics = code_length(bits, counts, classes)
        scorer.add_rows(statistics, own.groups, float("nan"), **shared)


def code_length(bits: Floats, counts: Floats, classes: int) -> dict[str, Statistic]:
    """Bits per label, and how many times shorter the code is than a uniform one.

    Args:
        bits: of all labels of each track.
        counts: labels of each track.
        classes: number of classes.
    """
    per_label = weighted_mean((bits / counts.clip(1)).tolist(), counts.tolist())

    def compression(weights: Floats) -> Floats:
        return np.asarray(log2(classes) / per_label.function(weights))

    return {
        "bits_per_label": per_label,
        "compression": Statistic(compression, len(bits), counts),
    }


def online_code(
    train: SplitData, variant: int, classes: int, room: Scratch, fit: Callable[[SplitData], Fitted]
) -> tuple[Floats, Floats]:
    """Bits of the labels of each track, and number of its labels, both (tracks,)."""
    known = np.concatenate(list(train.targets)) >= 0
    parts = np.split(known, np.cumsum(train.lengths)[:-1])
    counts = np.array([own.sum() for own in parts], dtype=np.float64)
    labels = [0 if count else -1 for count in counts.tolist()]
    order = [i for _, own in nested_order(train.groups, labels, 0) for i in own]
    bits = counts * log2(classes)
    stops = sorted({max(1, round(share * len(order))) for share in BLOCKS})
    for start, stop in pairwise(stops):
        probes = fit(train.take(order[:start], room))
        block = train.take(order[start:stop], room)
        found = []
        for x, y in only(variant)(block).in_order():
            with torch.no_grad():
                logits = probes.outputs(x)[0, :, 0].log_softmax(1)  # (n, labels)
            own = -logits.gather(1, y.clamp_min(0)[:, None])[:, 0] / log(2)
            found.append(torch.where(y >= 0, own, torch.zeros(())).double().numpy())
        ends = np.cumsum(block.lengths)[:-1]
        bits[order[start:stop]] = [own.sum() for own in np.split(np.concatenate(found), ends)]
    return bits, counts
