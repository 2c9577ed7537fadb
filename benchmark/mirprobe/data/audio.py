"""Audio files to mono samples at a wanted rate; every fault is a TrackError that names the file."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from mirprobe.core.audio_stream import ForwardFile
from mirprobe.core.errors import TrackError
from mirprobe.core.schema import Track
from mirprobe.data.containers import Extent, measure
from mirprobe.data.flac import last_sample
from mirprobe.data.mp3 import count_frames, decode_whole
from mirprobe.data.perturb import RATE, perturb
from mirprobe.data.resampling import Block, resample_blocks

Decoded = NDArray[np.float32] | TrackError

AHEAD_BYTES = 256 << 20
"""Memory for tracks that are decoded before the reader asks for them."""

_BLOCK = 1 << 18  # frames decoded at a time: 6 s at 44.1 kHz
_LOWEST_RATE = 1000  # Hz
_SHORT = 0.025  # seconds that a file may end before its header says
_LOOK_AHEAD = 8  # such tracks, in addition to the next one
_UNKNOWN = 1 << 62  # frames that libsndfile reports for a stream without a length
_CANCELLED = 1e-3  # of the channels' peak: rounding leaves less of channels that cancel
_LOUDEST = 100.0  # of full scale: integers that were written as floating-point numbers
_MP3_BEFORE = 100 * 1152  # samples: a frame may need the bytes of frames before it (bit reservoir)
_MP3_SLACK = 4  # frames of an MP3 file that its encoder's delay and padding may take
_REPLACE = "replace the file or leave the track out"
_ENCODE_AGAIN = "encode it again as one stream or leave the track out"


def load(track: Track, sample_rate: int) -> NDArray[np.float32]:
    """Decode a track as `decode` does, and disturb it by its perturbation, if it has one.

    Raises:
        TrackError: as for `decode`.
    """
    if not track.perturbation:
        return decode(track, sample_rate)
    disturbed = perturb(decode(track, RATE), track.perturbation)
    return np.asarray(soxr.resample(disturbed, RATE, sample_rate), dtype=np.float32)


def decode(track: Track, sample_rate: int) -> NDArray[np.float32]:
    """Decode a track, average its channels and resample it (soxr, HQ), block by block.

    Memory: the result (4 bytes per sample) and a few blocks of `_BLOCK` frames, about 10 MB in
    stereo, for a track of any length. One hour at 16 kHz takes 230 MB. A file whose container
    states no correct length is decoded completely first.

    Args:
        track: its `start` and `stop` are honoured.
        sample_rate: of the result, in Hz.

    Returns:
        (samples,) in [-1, 1] for files in that range; the size of the blocks does not change a bit.
        If a file ends up to 25 ms before the length in its header, as some Ogg Vorbis files do, the
        samples that exist.

    Raises:
        TrackError: the file is missing, empty, truncated, not audio, silent, holds NaN or several
            streams, or the track reaches beyond it.
    """
    path = track.audio
    extent = check_file(path)
    try:
        with _open(path, extent) as source:
            if not source.frames:
                raise TrackError(f"{path}: holds no samples, empty or truncated; {_REPLACE}")
            first = round(track.start * source.rate)
            last = source.frames if track.stop is None else round(track.stop * source.rate)
            if not 0 <= first < last <= source.frames:
                raise TrackError(
                    f"{path}: track '{track.id}' spans {track.start} to {track.stop} s of a file "
                    f"of {source.frames / source.rate:.3f} s; correct its start and stop"
                )
            blocks = source.read(first, last)
            resampled, seen = resample_blocks(blocks, source.rate, last - first, sample_rate)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise TrackError(f"{path}: cannot be decoded ({error}); {_REPLACE}") from error
    if seen.frames < last - first - _SHORT * seen.rate:
        raise TrackError(f"{path}: truncated, {seen.frames} of {last - first} frames; {_REPLACE}")
    if not seen.finite:
        raise TrackError(f"{path}: holds NaN or infinite samples; {_REPLACE}")
    if seen.peak <= _CANCELLED * seen.channel_peak:
        what = "its channels cancel out" if seen.channel_peak else "every sample is zero"
        raise TrackError(f"{path}: is silent, {what}; {_REPLACE}")
    if seen.channel_peak > _LOUDEST:
        raise TrackError(
            f"{path}: has samples up to {seen.channel_peak:.3g}, full scale is 1; divide them by "
            "the full scale of their integers, or leave the track out"
        )
    if not len(resampled):
        raise TrackError(
            f"{path}: no sample is left of {seen.frames} at {sample_rate} Hz; {_REPLACE}"
        )
    return resampled


@dataclass(frozen=True)
class _Source:
    """A file whose length is known.

    Attributes:
        rate: in Hz.
        frames: of the whole file.
        read: the blocks of frames `first` to `last`; fewer if the file ends early.
    """

    rate: int
    frames: int
    read: Callable[[int, int], Iterator[Block]]


@contextmanager
def _open(path: Path, extent: Extent) -> Iterator[_Source]:
    """Open a file, and decode it to its end if only that tells its length.

    Raises:
        TrackError: it holds several streams, more than its header states, or no rate of audio.
    """
    streams = extent.streams
    with ForwardFile(path) as file:
        rate, frames = file.samplerate, file.frames
        if rate < _LOWEST_RATE:
            raise TrackError(f"{path}: its header states a rate of {rate} Hz; {_REPLACE}")
        if file.format == "W64" and extent.samples:  # libsndfile takes all that follows for samples
            frames = round(frames * extent.samples / (extent.samples + extent.behind))
        held = frames
        whole: Iterator[Block] | None = None
        if frames >= _UNKNOWN:
            whole = _blocks(file, 0, frames)
        elif file.format == "MP3":
            counted = count_frames(path)
            streams = max(1, counted.indexes)
            slack = _MP3_SLACK * counted.per_frame  # encoders pad both ends, and say by how much
            if counted.samples > frames + slack:
                if counted.indexes == 1:
                    held = counted.samples
                else:
                    whole = decode_whole(path)
        elif file.format == "FLAC":
            held = last_sample(path)
        elif extent.samples:
            held += frames * extent.unexplained // extent.samples
        if streams > 1:
            raise TrackError(
                f"{path}: holds {streams} streams, one after the other; {_ENCODE_AGAIN}"
            )
        if held > frames + _SHORT * rate and whole is None:
            raise TrackError(
                f"{path}: its header states {frames / rate:.1f} s, but it holds "
                f"{held / rate:.1f} s; {_ENCODE_AGAIN}"
            )
        if whole is None:
            yield _Source(rate, frames, partial(_blocks, file))
            return
        decoded = np.concatenate([*whole, np.empty((0, file.channels), dtype=np.float32)])
    yield _Source(rate, len(decoded), lambda first, last: iter([decoded[first:last]]))


def _blocks(file: soundfile.SoundFile, first: int, last: int) -> Iterator[Block]:
    """Frames `first` to `last` of a file that is open at its start."""
    try:
        place = file.seek(max(0, first - _MP3_BEFORE) if file.format == "MP3" else first)
    except soundfile.LibsndfileError:  # the format has no seek, such as GSM 6.10
        place = 0
    while place < first and len(skipped := _read(file, first - place)):
        place += len(skipped)
    while place < last and len(block := _read(file, last - place)):
        place += len(block)
        yield block


def _read(file: soundfile.SoundFile, frames: int) -> Block:
    block: Block = file.read(min(_BLOCK, frames), dtype="float32", always_2d=True)
    return block


def decoded_as(track: Track) -> list[str]:
    """What keys of results hold of the way in which a track is decoded, beside its bytes.

    Excerpts of MP3 files began with wrong samples in versions up to 0.3.
    """
    return ["whole frames"] if track.start and track.audio.suffix.lower() == ".mp3" else []


def prefetch(tracks: Sequence[Track], sample_rate: int) -> Generator[Decoded, None, None]:
    """Load tracks in their order, a few ahead of the reader, in threads.

    In addition to the reader's track, memory contains up to nine tracks of `AHEAD_BYTES` in total,
    or one larger track. At 16 kHz, 70 minutes take 269 MB, so that the peak for files of this
    length is 540 MB and the blocks of `load`.

    Args:
        tracks: the tracks to load.
        sample_rate: as for `load`.

    Yields:
        What `load` returns for each track, or the error that it raises. Close the generator where
        not all of it is read.
    """

    def attempt(track: Track) -> Decoded:
        try:
            return load(track, sample_rate)
        except TrackError as error:
            return error

    sizes: deque[int] = deque()
    waiting: deque[Future[Decoded]] = deque()
    pool = ThreadPoolExecutor(2)
    try:
        for track in tracks:
            size = _decoded_bytes(track, sample_rate)
            while waiting and (len(waiting) > _LOOK_AHEAD or sum(sizes) + size > AHEAD_BYTES):
                sizes.popleft()
                yield waiting.popleft().result()
            sizes.append(size)
            waiting.append(pool.submit(attempt, track))
        while waiting:
            yield waiting.popleft().result()
    finally:
        # not waited for: a reader that stops early may be collected in one of these threads
        pool.shutdown(wait=False, cancel_futures=True)


def _decoded_bytes(track: Track, sample_rate: int) -> int:
    """What `load` will return takes; 0 for a file that cannot be opened, as `load` will say."""
    stop = track.stop
    if stop is None:
        try:
            stop = soundfile.info(str(track.audio)).duration
        except (soundfile.LibsndfileError, RuntimeError):
            return 0
    return round(max(stop - track.start, 0) * sample_rate) * 4


def check_file(path: Path) -> Extent:
    """Refuse a file that is missing, empty or truncated, as far as its headers show.

    Returns:
        What its container says of its length.

    Raises:
        TrackError: says which, and what to do.
    """
    try:
        if not path.is_file():
            raise TrackError(f"{path}: no such audio file; check its path or the data set's folder")
        stat = path.stat()
        size = stat.st_size
        if size == 0:
            raise TrackError(f"{path}: is empty; {_REPLACE}")
        extent = measure(path, size, stat.st_mtime_ns)
    except OSError as error:
        reason = error.strerror or error
        raise TrackError(f"{path}: cannot be read ({reason}); check its permissions") from error
    if extent.missing > 1:  # some writers leave out the last byte of padding
        raise TrackError(f"{path}: truncated, {size} of {size + extent.missing} bytes; {_REPLACE}")
    if not extent.ended:
        raise TrackError(f"{path}: truncated, the end of its stream is missing; {_REPLACE}")
    return extent
