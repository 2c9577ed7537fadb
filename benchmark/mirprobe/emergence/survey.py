"""One pass of a model over the validation and test tracks: onsets and similarities at once.

Each track is looked into by itself, in a process of its own if there are several; what comes back
is small. Validation comes first, since it chooses how onsets are detected in test.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from mirprobe.core.schema import Floating, Floats, Track
from mirprobe.data.audio import load
from mirprobe.emergence import onsets
from mirprobe.emergence.attention_maps import READINGS
from mirprobe.emergence.models import Look, Weights, subject
from mirprobe.emergence.onset_detector import detect
from mirprobe.emergence.onsets import OnsetResult, Setting, Triple
from mirprobe.emergence.similarity import SEQUENCE, Similarities, SimilarityResult, relations
from mirprobe.emergence.tracks import Splits, each, have_onsets, heard
from mirprobe.metrics.onset import scores
from mirprobe.probing.probes import threads

SOURCES = ("class", SEQUENCE, "both")


@dataclass
class Findings:
    """What came of one model or of the baselines."""

    onsets: list[OnsetResult] = field(default_factory=list)
    similarities: list[SimilarityResult] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Observation:
    """What is kept of one track.

    Attributes:
        tally: (detectors, readings, smoothings, thresholds, shifts) F-measures, or None.
        found: F-measure, precision and recall of each detector, or None.
        aucs: of `similarity.relations`.
        clips: (sources, layers, dim).
    """

    tally: Floats | None
    found: list[Triple] | None
    aucs: dict[str, Floats]
    clips: Floating


def observe(
    weights: Weights, device: str, seed: int, chosen: Sequence[Setting] | None, track: Track
) -> Observation:
    """Look into one track.

    Args:
        weights: of the model.
        device: where it works.
        seed: of the pairs of frames.
        chosen: a setting for each detector, to be scored; None to score all settings.
        track: usable.
    """
    with threads(1):  # other processes, or programs, want the other cores
        model = subject(weights, device)
        look = model.look(load(track, weights.config.frontend.sample_rate))
    rate, reference = model.frame_rate, heard(track)
    time, layers, heads, readings = look.curves.shape
    tally = found = None
    if reference is not None and chosen is None:
        grid = onsets.tally(look.curves.reshape(time, -1), reference, rate)
        tally = grid.reshape(layers * heads, readings, *grid.shape[1:])
    elif reference is not None and chosen is not None:
        curves = look.curves.reshape(time, layers * heads, readings)
        found = [
            scores(reference, detect(curves[:, place, one.reading], one.picking, rate))
            for place, one in enumerate(chosen)
        ]
    return Observation(tally, found, relations(track, look.tokens, rate, seed), clips(look))


def clips(look: Look) -> Floating:
    """Clip-level vectors of a track, (sources, layers, dim) in the order of `SOURCES`.

    `class` is the mean of its windows' class tokens, `sequence` that of its sequence tokens, and
    `both` the mean of all of them together.
    """
    tokens, summaries = look.tokens, look.class_tokens
    both = (tokens.sum(0) + summaries.sum(0)) / (len(tokens) + len(summaries))
    return np.stack([summaries.mean(0), tokens.mean(0), both])


def survey(weights: Weights, splits: Splits, *, seed: int, device: str, jobs: int) -> Findings:
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
    look = partial(observe, weights, device, seed, None)
    seen = each(look, splits["valid"], f"{weights.label}, validation", jobs)
    for track, one in zip(splits["valid"], seen, strict=True):
        similar.add("valid", track, one.aucs, one.clips)
        if one.tally is not None:
            total, count = total + one.tally, count + 1
    listen = have_onsets(splits)
    chosen = [onsets.setting(own / count) for own in total] if listen else []
    found: list[list[Triple]] = []
    look = partial(observe, weights, device, seed, chosen)
    seen = each(look, splits["test"], f"{weights.label}, test", jobs)
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
            rows.append(onsets.result(row, [track[place] for track in found], seed))
        rows = onsets.select(rows)
    return Findings(rows, similar.results(weights.name, weights.seed))
