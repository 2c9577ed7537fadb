"""Provenance of results: the hash of everything a cell depends on, the description of a run."""

from __future__ import annotations

import inspect
import json
import marshal
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from math import isnan
from pathlib import Path
from types import CodeType
from typing import Any

import joblib

from mirprobe.api.from_file import source_digest
from mirprobe.api.task import Task
from mirprobe.core.annotations import to_json
from mirprobe.core.errors import ConfigError, TrackError
from mirprobe.core.hashing import digest, folder_hash
from mirprobe.core.schema import SPLITS, Annotations, Track
from mirprobe.data.audio import decoded_as
from mirprobe.data.paths import joined_specs
from mirprobe.data.perturb import VERSION
from mirprobe.data.tracks import Tracks, splits_hash
from mirprobe.evaluation.config import RunConfig
from mirprobe.evaluation.environment import environment
from mirprobe.evaluation.run_files import plain_config
from mirprobe.evaluation.setup import ProbedEncoder
from mirprobe.probing.probes import probe_config

HARNESS = Path(__file__).parents[1]


@dataclass(frozen=True)
class HashedTask:
    """A task of a run.

    Attributes:
        task: the task.
        key: hash of the task as it was built.
        data: hash of ids, audio and annotations of the tracks.
    """

    task: Task
    key: str
    data: str


def cell_key(config: RunConfig, probed: ProbedEncoder, task: str, data: str, groups: str) -> str:
    """A hash of everything that the scores of a cell depend on.

    Args:
        config: of the run.
        probed: the encoder.
        task: of `task_key`.
        data: of `data_hash`.
        groups: of `groups_hash`.

    Raises:
        TypeError: JSON cannot hold what the encoder declares.
        ValueError: a declared number is not finite.
    """
    encoder = probed.encoder
    return digest(
        version("mirprobe"),
        [folder_hash(HARNESS / name) for name in ("core", "metrics", "probing")],
        [encoder.fingerprint for _, encoder in probed.draws],
        [config.resamples, config.folds],
        [config.perturb, config.perturb_train, VERSION],
        config.drop_leaks,
        [config.reading_names, config.pooling_names],
        [config.train_sizes, config.shot_sizes, config.repeats, config.valid_tracks],
        [probed.fingerprint, encoder.sources, encoder.frame_rate, probed.layers],
        [config.dtype, config.precision],
        task,
        # a task may call the data set that it was built with
        [source_digest(one) for side in config.data.split(" -> ") for one in joined_specs(side)],
        asdict(probe_config(config.preset, config.probe)),
        config.seeds,
        data,
        groups,
    )


def data_hash(tracks: Tracks, hashes: Callable[[Path], str], annotation: str) -> str:
    """A hash of ids, audio and one annotation of the tracks of every split: 32 hex digits.

    Args:
        tracks: of the run.
        hashes: file -> hash of its bytes.
        annotation: the field of `Annotations`, or the key of `extra`, that the task reads.
    """
    return digest(
        [
            [
                split,
                track.id,
                _audio(hashes, track),
                track.start,
                track.stop,
                *decoded_as(track),
                _annotation(track, annotation),
            ]
            for split in SPLITS
            for track in tracks[split]
        ]
    )


def groups_hash(tracks: Tracks) -> str:
    """A hash of the groups of the tracks: intervals resample them, and deals keep them whole."""
    return digest([[track.id, track.group] for split in SPLITS for track in tracks[split]])


def task_key(name: str, task: Task) -> str:
    """A hash of a task as it was built for a data set: all its attributes, and its source code.

    Args:
        name: of the task, or its file and class.
        task: not used yet, so that it holds no traces of earlier work.

    Raises:
        ConfigError: an attribute cannot be hashed.
    """
    own = getattr(task, "__dict__", {})
    hashes = {}
    for attribute in dir(task):
        value = getattr(task, attribute)
        code = inspect.isroutine(value) or inspect.isclass(value)
        if attribute.startswith(("__", "_abc_")) or (code and attribute not in own):
            continue
        try:
            hashes[attribute] = joblib.hash(value)
        except Exception as error:  # pickle raises whatever the value's class does
            raise ConfigError(
                f"task '{name}': the attribute '{attribute}' cannot be hashed ({error}); keep "
                "plain values there, such as numbers, strings and arrays"
            ) from error
    return digest(hashes, _source(task), source_digest(name))


def _annotation(track: Track, name: str) -> str:
    """One field as text. A malformed value is no error here: the task reports it."""
    value = track.annotations.get(name)
    own = {name: value} if name in vars(track.annotations) else {"extra": {name: value}}
    try:
        return json.dumps(to_json(replace(Annotations(), **own)))
    except TrackError:
        return repr(value)


def _source(task: Task) -> list[str]:
    """The code of the task's class, bases, modules and package: an edit makes new cells."""
    found: list[str] = []
    package = getattr(sys.modules.get(type(task).__module__), "__package__", "")
    if package and package.partition(".")[0] != "mirprobe":  # in `cell_key`
        found += [folder_hash(Path(path)) for path in sys.modules[package].__path__]
    for kind in type(task).__mro__:
        if kind.__module__ in ("abc", "builtins", "typing"):
            continue
        parts: tuple[Any, ...] = (kind, sys.modules.get(kind.__module__))
        for part in parts:
            try:
                found.append(inspect.getsource(part))
            except (OSError, TypeError):  # an interactive session has no source
                found += [marshal.dumps(code).hex() for code in _codes(kind)]
    return found


def _codes(kind: type) -> Iterator[CodeType]:
    """The compiled methods of a class."""
    for member in vars(kind).values():
        method = getattr(member, "__func__", getattr(member, "fget", member))
        if inspect.isfunction(method):
            yield method.__code__


def _audio(hashes: Callable[[Path], str], track: Track) -> str:
    """The hash of a track's audio. A file that cannot be read is reported where it is decoded."""
    try:
        return hashes(track.audio)
    except OSError:
        return "unreadable"


def describe(
    config: RunConfig,
    tracks: Tracks,
    device: str,
    encoders: Mapping[str, ProbedEncoder],
    speeds: Mapping[str, float],
    tasks: Mapping[str, HashedTask],
    files: Mapping[str, str],
) -> dict[str, Any]:
    """The content of `run.json` except the outcome of the run."""
    return {
        "config": plain_config(config),
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
        "tasks": {name: {"key": task.key, "data": task.data} for name, task in tasks.items()},
        "metrics": folder_hash(HARNESS / "metrics"),
        "files": files,
        **environment(device),
    }
