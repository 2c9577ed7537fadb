"""ROC-AUC with which cosine similarity separates same pairs from other pairs, for each layer.

For pairs of frames it is computed in each track and averaged over tracks. For pairs of tracks it is
computed for each query track against the other tracks of its split and averaged over queries.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np

from mirprobe.core.schema import SPLITS, Floating, Floats, Split, Track
from mirprobe.emergence.rows import ScoredRow, groups_of, scored_row
from mirprobe.emergence.similarity_pairs import FRAMES, TRACKS, Ints, Kinds, frame_pairs
from mirprobe.metrics.roc_auc import auc, unit

COLUMNS = [
    "model", "seed", "layer", "source", "relation", "pairs", "selected", "validation", "value",
    "low", "high", "n",
]  # fmt: skip

SEQUENCE = "sequence"
SOURCES = ("class", SEQUENCE, "both")


def relations(track: Track, tokens: Floating, frame_rate: float, seed: int) -> dict[str, Floats]:
    """ROC-AUC in each relation of pairs of frames for which a track has annotations.

    Args:
        track: a track with its annotations.
        tokens: (time, layers, dim).
        frame_rate: frames per second.
        seed: seed of the pairs, which do not depend on the tokens.

    Returns:
        Name of the relation -> ROC-AUC of each layer, (layers,).
    """
    drawn = {name: frame_pairs(name, track, len(tokens), frame_rate, seed) for name in FRAMES}
    return {name: frame_aucs(tokens, pairs) for name, pairs in drawn.items() if pairs}


def frame_aucs(tokens: Floating, pairs: tuple[Ints, Ints]) -> Floats:
    """ROC-AUC of each layer over pairs of frames of one track.

    Args:
        tokens: (time, layers, dim).
        pairs: same pairs and other pairs, (n, 2) frame indices each.

    Returns:
        (layers,).
    """
    vectors = unit(tokens).astype(np.float32)
    same, other = (
        np.einsum("nld,nld->nl", vectors[chosen[:, 0]], vectors[chosen[:, 1]]) for chosen in pairs
    )
    return auc(same, other)


def track_aucs(vectors: Floating, kinds: Kinds) -> Floats:
    """ROC-AUC of each track as a query against all other tracks.

    Args:
        vectors: (tracks, variants, dim).
        kinds: (tracks, tracks), from `mirprobe.emergence.similarity_pairs`.

    Returns:
        (tracks, variants), NaN for a track without a same pair or without another pair.
    """
    directions = unit(vectors)
    found = np.full(vectors.shape[:2], np.nan)
    for place, row in enumerate(kinds):
        if (row == 1).any() and (row == 0).any():
            similar = np.einsum("tvd,vd->tv", directions, directions[place])
            found[place] = auc(similar[row == 1], similar[row == 0])
    return found


class Similarities:
    """Collects the results of one model for each track, then computes the scores.

    Args:
        layers: names of the layers.
        sources: poolings of the clip vectors.
    """

    def __init__(self, layers: Sequence[str], sources: Sequence[str]) -> None:
        self.layers = tuple(layers)
        self.sources = tuple(sources)
        self._tracks: dict[Split, list[Track]] = defaultdict(list)
        self._clips: dict[Split, list[Floating]] = defaultdict(list)
        self._frames: dict[tuple[Split, str], list[Floats]] = defaultdict(list)

    def add(self, split: Split, track: Track, aucs: Mapping[str, Floats], clips: Floating) -> None:
        """Add the results of a track.

        Args:
            split: split of the track.
            track: a track with its annotations.
            aucs: from `relations`.
            clips: clip vectors, (poolings, layers, dim).
        """
        self._tracks[split].append(track)
        self._clips[split].append(clips.reshape(-1, clips.shape[-1]))
        none = np.full(len(self.layers), np.nan)
        for relation in FRAMES:
            self._frames[split, relation].append(aucs.get(relation, none))

    def results(self, model: str, seed: int) -> list[ScoredRow]:
        """Scores of every relation that both splits have, for every layer and pooling."""
        found: list[ScoredRow] = []
        for relation in FRAMES:
            row = {"model": model, "seed": seed, "relation": relation, "pairs": "frames"}
            valid, test = (np.array(self._frames[split, relation]) for split in SPLITS[1:])
            found += self._rows(row, [SEQUENCE], valid, test)
        for relation, kinds in TRACKS.items():
            row = {"model": model, "seed": seed, "relation": relation, "pairs": "tracks"}
            valid, test = (
                track_aucs(np.stack(self._clips[split]), kinds(self._tracks[split]))
                for split in SPLITS[1:]
            )
            found += self._rows(row, self.sources, valid, test)
        return found

    def _rows(
        self, row: Mapping[str, Any], sources: Sequence[str], valid: Floats, test: Floats
    ) -> Iterator[ScoredRow]:
        """The rows of one relation; none if a split has no pairs."""
        if np.isnan(valid).all() or np.isnan(test).all():
            return
        means = np.nanmean(valid, axis=0)
        groups = groups_of(self._tracks["test"])
        best = int(np.argmax(means))
        for place, (source, layer) in enumerate(product(sources, self.layers)):
            chosen = {"selected": place == best, "validation": float(means[place])}
            own = {**row, "layer": layer, "source": source, **chosen}
            yield scored_row(own, test[:, place], groups)
