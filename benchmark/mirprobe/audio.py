"""Audio files to mono samples at a wanted rate; every fault is a TrackError that names the file."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from mirprobe.errors import TrackError
from mirprobe.schema import Track

_REPLACE = "replace the file or leave the track out"


def load(track: Track, sample_rate: int) -> NDArray[np.float32]:
    """Decode a track, average its channels and resample it (soxr, HQ).

    Args:
        track: its `start` and `stop` are honoured.
        sample_rate: of the result, in Hz.

    Returns:
        (samples,) in [-1, 1] for files in that range.

    Raises:
        TrackError: the file is missing, empty, truncated, not audio, silent or holds NaN.
    """
    path = track.audio
    check_file(path)
    try:
        with soundfile.SoundFile(path) as file:
            first = round(track.start * file.samplerate)
            last = file.frames if track.stop is None else round(track.stop * file.samplerate)
            if not 0 <= first < last <= file.frames:
                raise TrackError(
                    f"{path}: track '{track.id}' spans {track.start} to {track.stop} s of a file "
                    f"of {file.frames / file.samplerate:.3f} s; correct its start and stop"
                )
            file.seek(first)
            samples = file.read(last - first, dtype="float32", always_2d=True)
            rate = file.samplerate
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise TrackError(f"{path}: cannot be decoded ({error}); {_REPLACE}") from error
    if len(samples) < last - first:
        raise TrackError(f"{path}: truncated, {len(samples)} of {last - first} frames; {_REPLACE}")
    if not np.isfinite(samples).all():
        raise TrackError(f"{path}: holds NaN or infinite samples; {_REPLACE}")
    if not samples.any():
        raise TrackError(f"{path}: is silent, every sample is zero; {_REPLACE}")
    mono = samples.mean(axis=1, dtype=np.float32)
    return np.asarray(soxr.resample(mono, rate, sample_rate), dtype=np.float32)


def check_file(path: Path) -> None:
    """Refuse a file that is missing, empty or cut short, as far as shows without decoding it.

    Raises:
        TrackError: says which, and what to do.
    """
    if not path.is_file():
        raise TrackError(f"{path}: no such audio file; check the data set's folder")
    size = path.stat().st_size
    if size == 0:
        raise TrackError(f"{path}: is empty; {_REPLACE}")
    with path.open("rb") as file:
        head = file.read(8)
    # libsndfile reads a RIFF file that was cut short as if it were whole
    if head[:4] == b"RIFF" and len(head) == 8:
        declared = struct.unpack("<I", head[4:])[0]
        if declared not in (0, 0xFFFFFFFF) and declared + 8 > size + 1:
            raise TrackError(f"{path}: truncated, {size} of {declared + 8} bytes; {_REPLACE}")
