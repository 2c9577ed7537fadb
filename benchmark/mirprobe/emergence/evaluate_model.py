"""One pass of a model over the validation and test tracks: onsets and similarities at once.

Each track is looked into by itself, in a process of its own if there are several; what comes back
is small. Validation comes first, since it chooses how onsets are detected in test.
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
    """What came of one model or of the baselines."""

    onsets: list[OnsetResult] = field(default_factory=list)
    similarities: list[SimilarityResult] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class TrackResult:
    """What is kept of one track.

    Attributes:
        tally: (detectors, readings, smoothings, thresholds, shifts) F-measures, or None.
        found: F-measure, precision and recall of each detector, or None.
        aucs: of `similarity_scores.relations`.
        clips: (sources, layers, dim).
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
    """Look into one track.

    Args:
        weights: of the model.
        device: where it works.
        seed: of the pairs of frames.
        chosen: a setting for each detector, to be scored; None to score all settings.
        track: usable.
    """
    with torch_threads(1):  # other processes, or programs, want the other cores
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
    """Clip-level vectors of a track, (sources, layers, dim) in the order of `SOURCES`.

    `class` is the mean of its windows' class tokens, `sequence` that of its sequence tokens, and
    `both` the mean of all of them together.
    """
    tokens, summaries = look.tokens, look.class_tokens
    both = (tokens.sum(0) + summaries.sum(0)) / (len(tokens) + len(summaries))
    return np.stack([summaries.mean(0), tokens.mean(0), both])


def evaluate_model(
    weights: ModelSpec, splits: Splits, *, seed: int, device: str, jobs: int
) -> ModelResults:
    """Look into every track once.

    Args:
        weights: of the model.
        splits: the usable tracks of `valid` and `test`.
        seed: of the pairs of frames and of the bootstrap.
        device: where the model works.
        jobs: processes.
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
