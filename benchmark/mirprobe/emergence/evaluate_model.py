"""Evaluate one model on the validation and test tracks: onsets and similarities in one pass.

Each track is processed separately, in parallel if requested, and reduced to small results. The
validation tracks come first, since they choose the settings of the onset detector.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from mirprobe.core.parallel import torch_threads
from mirprobe.core.schema import Floating, Floats, Track
from mirprobe.data.audio import load
from mirprobe.emergence import onset_scores
from mirprobe.emergence.attention_maps import READINGS
from mirprobe.emergence.models import ModelOutput, ModelSpec, load_model
from mirprobe.emergence.onset_detector import detect
from mirprobe.emergence.onset_scores import DetectorSetting, OnsetResult, Triple
from mirprobe.emergence.similarity_scores import SEQUENCE, Similarities, SimilarityResult, relations
from mirprobe.emergence.usable_tracks import Splits, have_onsets, map_tracks, onsets_of
from mirprobe.metrics.onset import scores

SOURCES = ("class", SEQUENCE, "both")


@dataclass
class ModelResults:
    """Results of one model, or of the baselines."""

    onsets: list[OnsetResult] = field(default_factory=list)
    similarities: list[SimilarityResult] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class TrackResult:
    """Intermediate results of one track.

    Attributes:
        f_measure_grid: (detectors, readings, smoothings, thresholds, shifts) F-measures, or None.
        found: F-measure, precision and recall of each detector, or None.
        aucs: from `similarity_scores.relations`.
        clips: clip vectors, (poolings, layers, dim).
    """

    f_measure_grid: Floats | None
    found: list[Triple] | None
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
    rate, reference = model.frame_rate, onsets_of(track)
    time, layers, heads, readings = look.curves.shape
    f_measure_grid = found = None
    if reference is not None and chosen is None:
        grid = onset_scores.f_measure_grid(look.curves.reshape(time, -1), reference, rate)
        f_measure_grid = grid.reshape(layers * heads, readings, *grid.shape[1:])
    elif reference is not None and chosen is not None:
        curves = look.curves.reshape(time, layers * heads, readings)
        found = [
            scores(reference, detect(curves[:, place, one.reading], one.peak_settings, rate))
            for place, one in enumerate(chosen)
        ]
    return TrackResult(
        f_measure_grid, found, relations(track, look.tokens, rate, seed), clips(look)
    )


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
        seed: seed of the pairs of frames and of the bootstrap.
        device: device of the model.
        jobs: number of processes.
    """
    similar = Similarities(weights.config.layers, SOURCES, seed)
    total, count, chosen = np.zeros(()), 0, None
    look = partial(evaluate_track, weights, device, seed, None)
    seen = map_tracks(look, splits["valid"], f"{weights.label}, validation", jobs)
    for track, one in zip(splits["valid"], seen, strict=True):
        similar.add("valid", track, one.aucs, one.clips)
        if one.f_measure_grid is not None:
            total, count = total + one.f_measure_grid, count + 1
    listen = have_onsets(splits)
    chosen = [onset_scores.best_setting(own / count) for own in total] if listen else []
    found: list[list[Triple]] = []
    look = partial(evaluate_track, weights, device, seed, chosen)
    seen = map_tracks(look, splits["test"], f"{weights.label}, test", jobs)
    for track, one in zip(splits["test"], seen, strict=True):
        similar.add("test", track, one.aucs, one.clips)
        if one.found is not None:
            found.append(one.found)
    rows = []
    if listen:
        heads = [*(str(head + 1) for head in range(weights.config.heads)), "mean"]
        detectors = [(layer, head) for layer in weights.config.layers for head in heads]
        for place, ((layer, head), best) in enumerate(zip(detectors, chosen, strict=True)):
            row = {
                "model": weights.name,
                "seed": weights.seed,
                "layer": layer,
                "head": head,
                "reading": list(READINGS)[best.reading],
                **best.row,
            }
            rows.append(onset_scores.result(row, [track[place] for track in found], seed))
        rows = onset_scores.mark_selected(rows)
    return ModelResults(rows, similar.results(weights.name, weights.seed))
