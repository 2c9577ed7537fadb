"""Baselines without a transformer: log-mel and chroma frames, spectral flux, chance onsets."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
import torch

from mirprobe.core.parallel import torch_threads
from mirprobe.core.schema import SPLITS, Floating, Floats, Split, Track
from mirprobe.data.audio import load
from mirprobe.emergence import onset_scores
from mirprobe.emergence.evaluate_model import ModelResults
from mirprobe.emergence.onset_detector import detect, flux
from mirprobe.emergence.rows import ScoredRow, groups_of
from mirprobe.emergence.similarity_scores import SEQUENCE, Similarities, relations
from mirprobe.emergence.usable_tracks import Splits, have_onsets, map_tracks, onsets_of
from mirprobe.encoders.spectral import Chroma
from mirprobe.metrics.onset import scores
from mirprobe.vit1d.frontend import LogMel, LogMelConfig


@dataclass(frozen=True, eq=False)
class BaselineTrackResult:
    """Intermediate results of one track.

    Attributes:
        flux: (time,) spectral flux.
        duration: in seconds.
        aucs: type of the frames -> their ROC-AUC, from `similarity_scores.relations`.
        clips: type of the frames -> their mean, (1, 1, dim).
    """

    flux: Floats
    duration: float
    aucs: dict[str, dict[str, Floats]]
    clips: dict[str, Floating]


def names(config: LogMelConfig) -> tuple[str, ...]:
    """Types of frames to compare; chroma only if its frame times are those of the model."""
    same = (config.sample_rate, config.frame_rate) == (Chroma.sample_rate, Chroma.frame_rate)
    return ("logmel", "chroma") if same else ("logmel",)


_logmel = lru_cache(maxsize=1)(LogMel)


def evaluate_track(config: LogMelConfig, seed: int, track: Track) -> BaselineTrackResult:
    """Compute the baselines of one track.

    Args:
        config: front end of the model under study.
        seed: seed of the pairs of frames.
        track: a usable track.
    """
    audio = load(track, config.sample_rate)
    whole = torch.from_numpy(audio)[None]
    with torch_threads(1), torch.inference_mode():
        frames = {"logmel": _logmel(config)(whole)[0].numpy()}
        if "chroma" in names(config):
            sequence = Chroma()(whole).sequence
            assert sequence is not None
            frames["chroma"] = sequence[0, :, 0].numpy()
    rate = config.frame_rate
    return BaselineTrackResult(
        flux=flux(frames["logmel"], config),
        duration=len(audio) / config.sample_rate,
        aucs={name: relations(track, own[:, None], rate, seed) for name, own in frames.items()},
        clips={name: own.mean(0)[None, None] for name, own in frames.items()},
    )


def baselines(config: LogMelConfig, splits: Splits, *, seed: int, jobs: int) -> ModelResults:
    """Evaluate all baselines, with choices on validation and scores on test, like the models.

    Args:
        config: front end of the model under study.
        splits: the usable tracks of `valid` and `test`.
        seed: seed of pairs and random onsets.
        jobs: number of processes.
    """
    similar = {name: Similarities((name,), (SEQUENCE,)) for name in names(config)}
    curves: dict[Split, list[Floats]] = defaultdict(list)
    known: dict[Split, list[onset_scores.OnsetTrack]] = defaultdict(list)
    for split in SPLITS[1:]:
        read = map_tracks(
            partial(evaluate_track, config, seed), splits[split], f"baselines, {split}", jobs
        )
        for track, one in zip(splits[split], read, strict=True):
            for name, own in similar.items():
                own.add(split, track, one.aucs[name], one.clips[name])
            reference = onsets_of(track)
            if reference is not None:
                curves[split].append(one.flux)
                (group,) = groups_of([track])
                known[split].append(
                    onset_scores.OnsetTrack(track.id, reference, one.duration, group)
                )
    results = [one for name, own in similar.items() for one in own.results(name, -1)]
    rows: list[ScoredRow] = []
    if have_onsets(splits):
        # the detector and the choice of its settings are those of the attention curves
        grids = [
            onset_scores.f_measure_grid(curve[:, None], track.onsets, config.frame_rate)
            for curve, track in zip(curves["valid"], known["valid"], strict=True)
        ]
        best = onset_scores.best_setting(np.mean(grids, axis=0))
        found = [
            scores(track.onsets, detect(curve, best.peak_settings, config.frame_rate))
            for curve, track in zip(curves["test"], known["test"], strict=True)
        ]
        groups = [track.group for track in known["test"]]
        rows.append(onset_scores.result({"model": "flux", "seed": -1, **best.row}, found, groups))
        rows += onset_scores.chance_results(known["valid"], known["test"], seed)
    return rows, results
