"""Shards of a bank: the quantised frames of one track in a file.

A shard is a safetensors file, `BANK/parts/HASH.safetensors`. HASH depends on the key of the track,
the front end and the number type. Shards are written atomically, by any number of processes, and
later moved into the bank by `merge_shards`. A track that cannot be used gets a shard without frames
that holds the reason, so that it is not processed again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save
from scipy.ndimage import maximum_filter1d

from mirprobe.core.atomic_write import replacing
from mirprobe.core.errors import StorageError, TrackError
from mirprobe.core.hashing import digest
from mirprobe.core.parallel import torch_threads
from mirprobe.pretraining.quantise import DType, Quantiser, level
from mirprobe.vit1d.frontend import LogMel, LogMelConfig

Kind = Literal["undecodable", "too short", "silent", "duplicate"]
Samples = NDArray[np.float32]

FOLDER, SUFFIX = "parts", ".safetensors"
SEGMENTS = 252  # frames of two adjacent segments of 4 s, the minimum for a pair
SILENCE = -70.0  # dB relative to a full-scale sine; a frame with all bands below it is silent
REST = 16  # frames (0.5 s) kept of a silence at each side, so that cuts are within silence

_FORMAT = "mirprobe.vit1d.part.1"
_BLOCK = 60 * 16_000


@dataclass(frozen=True)
class StoredTrack:
    """What a shard and a bank both know about a track.

    Attributes:
        key: identifies the content.
        id: name of the track in the bank, where it is unique.
        source: origin of the audio, human-readable.
        group: tracks of a group sound alike (album, instrumentation).
        work: tracks of a work are the same music; they are in the same split.
        frames: number of frames (rows) without silence.
        duration: seconds of audio, with silence.
        digest: hash of the quantised frames.
    """

    key: str
    id: str
    source: str
    group: str
    work: str
    frames: int
    duration: float
    digest: str


@dataclass(frozen=True)
class Shard(StoredTrack):
    """The frames of one track on disk.

    Attributes:
        largest: largest quantisation error, in units of the front end.
        squares: sum of the squared errors of all values.
    """

    largest: float
    squares: float


@dataclass(frozen=True)
class Skipped:
    """A track that is not in the bank, with the reason; `key` is empty if it cannot be read."""

    key: str
    source: str
    kind: Kind
    reason: str


@dataclass(frozen=True)
class ShardFile:
    """Metadata of a shard file: the track, the front end and the number type."""

    path: Path
    config: LogMelConfig
    dtype: DType
    track: Shard | Skipped

    def rows(self) -> NDArray[Any]:
        """The quantised frames, (frames, bins).

        Raises:
            StorageError: the file is damaged.
        """
        try:
            with safe_open(self.path, framework="numpy") as file:
                rows: NDArray[Any] = file.get_tensor("frames")
        except (SafetensorError, OSError) as error:
            raise StorageError(f"{self.path}: damaged ({error})") from error
        if isinstance(self.track, Shard) and rows_digest(rows) != self.track.digest:
            raise StorageError(f"{self.path}: damaged, its checksum is wrong")
        return rows


def write_shard(
    bank: Path,
    key: str,
    samples: Samples | Iterable[Samples],
    *,
    id: str,
    source: str,
    group: str,
    work: str | None = None,
    config: LogMelConfig | None = None,
    dtype: DType = "uint8",
) -> Shard | Skipped:
    """Compute and store the frames of a track.

    Args:
        bank: folder of the bank.
        key: identifies the content: a hash of the audio file, or of all inputs of a rendering. If
            its shard exists, the shard is kept and `samples` is not read.
        samples: mono, at the sample rate of the front end, in [-1, 1]; one array (samples,) or
            blocks. If a block raises TrackError, the track is recorded as undecodable.
        id: unique in the bank.
        source: origin of the audio, human-readable.
        group: tracks of a group sound alike; batches may be drawn from one group.
        work: tracks of a work are in the same split; None uses the id.
        config: the front end; None for the default.
        dtype: uint8 or float16.

    Raises:
        StorageError: the disk cannot be written; other shards are not affected.
    """
    config = config or LogMelConfig()
    path = shard_path(bank, key, config, dtype)
    if path.exists():
        return read_shard(path).track
    blocks = _blocks(samples) if isinstance(samples, np.ndarray) else samples
    track: Shard | Skipped
    rows = np.empty((0, config.bins), dtype)
    try:
        measured = _measure(blocks, config, Quantiser.make(config, dtype))
        kind, reason = _unfit(measured, config)
    except TrackError as error:
        kind, reason = "undecodable", str(error)
    if kind is not None:
        track = Skipped(key, source, kind, reason)
    else:
        rows = measured.rows
        errors = (measured.largest, measured.squares)
        kept = (len(rows), measured.duration, rows_digest(rows))
        track = Shard(key, id, source, group, work or id, *kept, *errors)
    head = {"format": _FORMAT, "config": asdict(config), "dtype": dtype, "track": asdict(track)}
    with replacing(path) as file:
        file.write(save({"frames": np.ascontiguousarray(rows)}, {"part": json.dumps(head)}))
    return track


def shard_path(bank: Path, key: str, config: LogMelConfig, dtype: DType) -> Path:
    """Path of the shard of a content, front end and number type."""
    return bank / FOLDER / f"{digest(_FORMAT, key, asdict(config), dtype)}{SUFFIX}"


def read_shard(path: Path) -> ShardFile:
    """Read the metadata of a shard, without its frames.

    Raises:
        StorageError: the file is missing, damaged or not a shard.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            head = json.loads((file.metadata() or {})["part"])
        kind = Shard if "digest" in head["track"] else Skipped
        track = kind(**head["track"])
        return ShardFile(path, LogMelConfig(**head["config"]), head["dtype"], track)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise StorageError(f"{path}: damaged or not a shard ({error})") from error


def stream(blocks: Iterable[Samples], frontend: LogMel) -> Iterator[Samples]:
    """Compute the frames of audio block by block; joined they equal the frames of the whole.

    Args:
        blocks: arrays (samples,) of any length.
        frontend: the front end, on the CPU.

    Yields:
        Frames, (time, bins).
    """
    hop, half = frontend.config.hop, frontend.config.n_fft // 2
    margin = -(-half // hop) + 1  # frames whose window may cross a block border
    held, given = np.empty(0, np.float32), 0  # number of frames of `held` that were yielded
    for block in blocks:
        held = np.concatenate((held, block))
        ready = (len(held) - half) // hop + 1  # frames with a complete window
        if ready > given + margin:
            yield _frames(held, frontend)[given:ready]
            held, given = held[(ready - margin) * hop :], margin
    yield _frames(held, frontend)[given:]


class _Measured(NamedTuple):
    rows: NDArray[Any]  # (frames without silence, bins)
    duration: float
    largest: float
    squares: float


def _measure(blocks: Iterable[Samples], config: LogMelConfig, quantiser: Quantiser) -> _Measured:
    """Quantise block by block, so that the float frames of a long track are not held at once."""
    threshold = level(config, SILENCE)
    samples = 0

    def counted() -> Iterator[Samples]:
        nonlocal samples
        for block in blocks:
            if not np.isfinite(block).all():
                raise TrackError("holds NaN or infinite samples")
            samples += len(block)
            yield block

    rows, sounds, largest, squares = [], [], [], []
    for frames in stream(counted(), _frontend(config)):
        rows.append(quantiser.quantise(frames))
        errors = np.abs(frames - quantiser.dequantise(rows[-1]))
        sounds.append(frames.max(axis=-1) > threshold)
        largest.append(errors.max(axis=-1))
        squares.append(np.square(errors).sum(axis=-1, dtype=np.float64))
    kept = _near(np.concatenate(sounds), REST)
    return _Measured(
        rows=np.concatenate(rows)[kept],
        duration=samples / config.sample_rate,
        largest=float(np.concatenate(largest)[kept].max(initial=0.0)),
        squares=float(np.concatenate(squares)[kept].sum()),
    )


def _unfit(measured: _Measured, config: LogMelConfig) -> tuple[Kind | None, str]:
    rows, duration = len(measured.rows), measured.duration
    if not rows:
        return "silent", f"{duration:.1f} s, all under {SILENCE:g} dB"
    if rows < SEGMENTS:
        sound, needed = rows / config.frame_rate, SEGMENTS / config.frame_rate
        return "too short", f"{sound:.1f} s of sound in {duration:.1f} s, {needed:.1f} s needed"
    return None, ""


def _near(sounds: NDArray[np.bool_], reach: int) -> NDArray[np.bool_]:
    """Mask of the frames within `reach` frames of a frame with sound."""
    return np.asarray(maximum_filter1d(sounds, 2 * reach + 1, mode="constant"))


def _blocks(samples: Samples) -> Iterator[Samples]:
    if samples.ndim != 1:
        raise ValueError(f"samples of shape {samples.shape}: expected mono, (samples,)")
    for start in range(0, len(samples), _BLOCK):
        yield samples[start : start + _BLOCK].astype(np.float32, copy=False)


def _frames(samples: Samples, frontend: LogMel) -> Samples:
    with torch.inference_mode(), torch_threads(1):
        frames: Samples = frontend(torch.from_numpy(samples)[None])[0].numpy()
    return frames


_frontend = lru_cache(maxsize=4)(LogMel)


def rows_digest(rows: NDArray[Any]) -> str:
    """Hash of quantised frames: the `digest` of a track."""
    return hashlib.sha256(np.ascontiguousarray(rows).data).hexdigest()[:32]
