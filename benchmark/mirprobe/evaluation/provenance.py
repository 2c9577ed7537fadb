"""Provenance of results: the hash of everything a cell depends on, the description of a run."""

from __future__ import annotations

import inspect
import json
import platform
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from importlib.metadata import version
from math import isnan
from pathlib import Path
from typing import Any

import torch

from mirprobe.api.task import Task
from mirprobe.core.annotations import to_json
from mirprobe.core.hashing import digest
from mirprobe.core.schema import SPLITS, Annotations, Track
from mirprobe.data.tracks import Tracks, splits_hash
from mirprobe.evaluation.config import RunConfig
from mirprobe.evaluation.setup import ProbedEncoder
from mirprobe.probing.probes import probe_config

PACKAGES = ("mirprobe", "torch", "torchaudio", "numpy", "mir_eval", "scikit-learn", "librosa")


def cell_key(
    config: RunConfig,
    tracks: Tracks,
    hashes: Callable[[Path], str],
    probed: ProbedEncoder,
    task: Task,
) -> str:
    """A hash of everything that the scores of a cell depend on.

    Raises:
        TypeError: JSON cannot hold what the task or the encoder declares.
        ValueError: a declared number is not finite.
    """
    described = [
        [
            split,
            track.id,
            _audio(hashes, track),
            track.start,
            track.stop,
            _annotation(track, task.annotation),
        ]
        for split in SPLITS
        for track in tracks[split]
    ]
    encoder = probed.encoder
    return digest(
        version("mirprobe"),
        [probed.fingerprint, encoder.sources, encoder.frame_rate, probed.layers],
        [config.dtype, config.precision],
        [task.name, task.labels, task.metrics, task.decodings, _source(task)],
        asdict(probe_config(config.preset, config.probe)),
        config.seeds,
        described,
    )


def _annotation(track: Track, name: str) -> str:
    """One field as text. A malformed value is no error here: the task reports it."""
    value = track.annotations.get(name)
    own = {name: value} if name in vars(track.annotations) else {"extra": {name: value}}
    try:
        return json.dumps(to_json(replace(Annotations(), **own)))
    except (TypeError, ValueError, AttributeError):
        return repr(value)


def _source(task: Task) -> str:
    """The source code of the task's class and its bases, so that an edit makes new cells."""
    found = ""
    for kind in type(task).__mro__:
        if kind.__module__ not in ("abc", "builtins", "typing"):
            try:
                found += inspect.getsource(kind)
            except (OSError, TypeError):  # a class from an interactive session has no source
                continue
    return found


def _audio(hashes: Callable[[Path], str], track: Track) -> str:
    return hashes(track.audio) if track.audio.is_file() else "missing"


def describe(
    config: RunConfig,
    tracks: Tracks,
    device: str,
    encoders: Mapping[str, ProbedEncoder],
    speeds: Mapping[str, float],
) -> dict[str, Any]:
    """The content of `run.json` except the outcome of the run."""
    return {
        "config": {name: _plain(value) for name, value in asdict(config).items()},
        "encoders": {
            name: {
                "fingerprint": probed.fingerprint,
                "dim": probed.dim,
                "frame_rate": probed.encoder.frame_rate,
                "layers": list(probed.layers),
                "sources": list(probed.encoder.sources),
                "speed": None if isnan(speeds[name]) else round(speeds[name], 2),
            }
            for name, probed in encoders.items()
        },
        "splits": {split: [track.id for track in tracks[split]] for split in SPLITS},
        "splits_hash": splits_hash(tracks),
        "versions": {"python": platform.python_version(), **{p: version(p) for p in PACKAGES}},
        "hardware": {
            "machine": platform.machine(),
            "threads": torch.get_num_threads(),
            "device": torch.cuda.get_device_name() if device.startswith("cuda") else "cpu",
        },
    }


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return value if isinstance(value, int | float | str | bool | None) else str(value)
