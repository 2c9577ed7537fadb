"""Evaluate one model on the validation and test tracks: onsets and similarities in one pass.

Each track is processed separately, in parallel if requested, and reduced to small results. The
validation tracks come first, since they choose the settings of the onset detector.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np

from mirprobe.core.parallel import torch_threads
from mirprobe.core.schema import Floating, Floats, Split, Track
from mirprobe.data.audio import load
from mirprobe.emergence import onset_scores
from mirprobe.emergence.attention_maps import READINGS
from mirprobe.emergence.models import ModelOutput, ModelSpec, head_names, load_model
from mirprobe.emergence.onset_detector import detect
from mirprobe.emergence.onset_scores import DetectorSetting
from mirprobe.emergence.rows import ScoredRow, groups_of
from mirprobe.emergence.similarity_scores import SOURCES, Similarities, relations
from mirprobe.emergence.usable_tracks import Splits, have_onsets, map_tracks, onsets_of
from mirprobe.metrics.onset import scores

ModelResults = tuple[list[ScoredRow], list[ScoredRow]]
"""Results of one model, or of the baselines: in onsets and in similarities."""


@dataclass(frozen=True, eq=False)
class TrackResult:
    """Intermediate results of one track.

    Attributes:
        onsets: F-measures of all settings, (detectors, readings, smoothings, thresholds, shifts);
            or F-measure, precision and recall of the chosen settings, (detectors, 3); None for a
            track without onsets.
        aucs: from `similarity_scores.relations`.
        clips: clip vectors, (poolings, layers, dim).
    """

    onsets: Floats | None
    aucs: dict[str, Floats]
    clips: Floating


def evaluate_track(
    weights: ModelSpec,
    device: str,
    seed: int,
    chosen: Sequence[DetectorSetting] | None,
    track: Track,
) -> TrackResult:
    """Evaluate a model on one track.

    Args:
        weights: the model.
        device: device of the model.
        seed: seed of the pairs of frames.
        chosen: the setting of each detector; None to score all settings.
        track: a usable track.
    """
    with torch_threads(1):  # the other cores run other tracks
        model = load_model(weights, device)
        look = model.inspect(load(track, weights.config.frontend.sample_rate))
    rate, reference = weights.config.frontend.frame_rate, onsets_of(track)
    time, layers, heads, readings = look.curves.shape
    onsets = None
    if reference is not None and chosen is None:
        grid = onset_scores.f_measure_grid(look.curves.reshape(time, -1), reference, rate)
        onsets = grid.reshape(layers * heads, readings, *grid.shape[1:])
    elif reference is not None and chosen is not None:
        curves = look.curves.reshape(time, layers * heads, readings)
        onsets = np.array(
            [
                scores(reference, detect(curves[:, place, one.reading], one.peak_settings, rate))
                for place, one in enumerate(chosen)
            ]
        )
    return TrackResult(onsets, relations(track, look.tokens, rate, seed), clips(look))


def clips(look: ModelOutput) -> Floating:
    """Clip vectors of a track, (poolings, layers, dim) in the order of `SOURCES`.

    `class` is the mean of the class tokens of all windows, `sequence` the mean of the sequence
    tokens, and `both` the mean of all tokens.
    """
    tokens, summaries = look.tokens, look.class_tokens
    both = (tokens.sum(0) + summaries.sum(0)) / (len(tokens) + len(summaries))
    return np.stack([summaries.mean(0), tokens.mean(0), both])


def evaluate_model(
    weights: ModelSpec, splits: Splits, *, seed: int, device: str, jobs: int
) -> ModelResults:
    """Evaluate a model on every track.

    Args:
        weights: the model.
        splits: the usable tracks of `valid` and `test`.
        seed: seed of the pairs of frames.
        device: device of the model.
        jobs: number of processes.
    """
    similar = Similarities(weights.config.layers, SOURCES)

    def evaluate(split: Split, chosen: Sequence[DetectorSetting] | None) -> Iterator[Floats]:
        """The results in onsets of the tracks that have onsets."""
        look = partial(evaluate_track, weights, device, seed, chosen)
        seen = map_tracks(look, splits[split], f"{weights.label}, {split}", jobs)
        for track, one in zip(splits[split], seen, strict=True):
            similar.add(split, track, one.aucs, one.clips)
            if one.onsets is not None:
                yield one.onsets

    total, count = np.zeros(()), 0
    for grid in evaluate("valid", None):
        total, count = total + grid, count + 1
    testable = have_onsets(splits)
    chosen = [onset_scores.best_setting(own / count) for own in total] if testable else []
    found = list(evaluate("test", chosen))  # of each track: (detectors, 3)
    rows = []
    if testable:
        model = {"model": weights.name, "seed": weights.seed}
        scored = np.stack(found, axis=1)
        groups = groups_of(track for track in splits["test"] if onsets_of(track) is not None)
        detectors = product(weights.config.layers, head_names(weights.config))
        for (layer, head), best, own in zip(detectors, chosen, scored, strict=True):
            detector = {"layer": layer, "head": head, "reading": list(READINGS)[best.reading]}
            rows.append(onset_scores.result({**model, **detector, **best.row}, own, groups))
        rows = onset_scores.mark_selected(rows)
    return rows, similar.results(weights.name, weights.seed)
