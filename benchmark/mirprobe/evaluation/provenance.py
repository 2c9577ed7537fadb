"""Where results come from: the hash of all that a cell depends on, and the description of a run."""

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

from mirprobe.api.encoder import Encoder
from mirprobe.api.task import Task
from mirprobe.core.annotations import to_json
from mirprobe.core.hashing import digest
from mirprobe.core.schema import SPLITS, Annotations, Track
from mirprobe.data.tracks import Tracks, splits_hash
from mirprobe.evaluation.config import RunConfig
from mirprobe.probing.probes import probe_config

PACKAGES = ("mirprobe", "torch", "torchaudio", "numpy", "mir_eval", "scikit-learn", "librosa")


def cell_key(
    config: RunConfig,
    tracks: Tracks,
    hashes: Callable[[Path], str],
    encoder: Encoder,
    task: Task,
    layers: tuple[str, ...],
) -> str:
    """A hash of all that a cell's scores depend on."""
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
    made = [encoder.fingerprint, encoder.sources, encoder.frame_rate, layers, config.dtype]
    if config.precision != "32":  # cells in full precision keep the key that they always had
        made.append(config.precision)
    return digest(
        version("mirprobe"),
        made,
        [task.name, task.labels, task.metrics, task.decodings, _source(task)],
        asdict(probe_config(config.preset, config.probe)),
        config.seeds,
        described,
    )


def _annotation(track: Track, name: str) -> str:
    """One field as text, whatever it holds: malformed ones are the task's to refuse."""
    value = track.annotations.get(name)
    own = {name: value} if name in vars(track.annotations) else {"extra": {name: value}}
    try:
        return json.dumps(to_json(replace(Annotations(), **own)))
    except (TypeError, ValueError, AttributeError):
        return repr(value)


def _source(task: Task) -> str:
    """The code of the task's class and of what it inherits, where Python knows it.

    A task is edited more than released.
    """
    found = ""
    for kind in type(task).__mro__:
        if kind.__module__ not in ("abc", "builtins", "typing"):
            try:
                found += inspect.getsource(kind)
            except (OSError, TypeError):  # made in an interpreter, where no source is kept
                continue
    return found


def _audio(hashes: Callable[[Path], str], track: Track) -> str:
    return hashes(track.audio) if track.audio.is_file() else "missing"


def describe(
    config: RunConfig,
    tracks: Tracks,
    device: str,
    encoders: Mapping[str, Encoder],
    layers: Mapping[str, tuple[str, ...]],
    speeds: Mapping[str, float],
) -> dict[str, Any]:
    """What `run.json` says of a run beside its outcome."""
    return {
        "config": {name: _plain(value) for name, value in asdict(config).items()},
        "encoders": {
            spec: {
                "fingerprint": encoder.fingerprint,
                "dim": encoder.dim,
                "frame_rate": encoder.frame_rate,
                "layers": list(layers[spec]),
                "sources": list(encoder.sources),
                "speed": None if isnan(speeds[spec]) else round(speeds[spec], 2),
            }
            for spec, encoder in encoders.items()
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
