"""Audio files to mono samples at a wanted rate; every fault is a TrackError that names the file."""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from mirprobe.core.errors import TrackError
from mirprobe.core.schema import Track

Decoded = NDArray[np.float32] | TrackError

AHEAD_BYTES = 256 << 20
"""Memory for tracks that are decoded before the reader asks for them."""

_BLOCK = 1 << 18  # frames decoded at a time: 6 s at 44.1 kHz
_SHORT = 0.025  # seconds that a file may end before its header says
_LOOK_AHEAD = 8  # such tracks, beside the next one
_REPLACE = "replace the file or leave the track out"


def load(track: Track, sample_rate: int) -> NDArray[np.float32]:
    """Decode a track, average its channels and resample it (soxr, HQ), block by block.

    Beside the result, 4 bytes a sample, a few blocks of `_BLOCK` frames lie in memory: about 10 MB
    in stereo, whatever the length of the track. An hour at 16 kHz takes 230 MB.

    Args:
        track: its `start` and `stop` are honoured.
        sample_rate: of the result, in Hz.

    Returns:
        (samples,) in [-1, 1] for files in that range; the same to the bit whatever the block. Of a
        file that ends up to 25 ms before its header says, as some Ogg Vorbis does, what is there.

    Raises:
        TrackError: the file is missing, empty, truncated, not audio, silent or holds NaN, or the
            track reaches beyond it.
    """
    path = track.audio
    check_file(path)
    try:
        with _Forward(path) as file:
            if not file.frames:
                raise TrackError(f"{path}: holds no samples, empty or truncated; {_REPLACE}")
            first = round(track.start * file.samplerate)
            last = file.frames if track.stop is None else round(track.stop * file.samplerate)
            if not 0 <= first < last <= file.frames:
                raise TrackError(
                    f"{path}: track '{track.id}' spans {track.start} to {track.stop} s of a file "
                    f"of {file.frames / file.samplerate:.3f} s; correct its start and stop"
                )
            file.seek(first)
            resampled, seen = _resample(file, last - first, sample_rate)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise TrackError(f"{path}: cannot be decoded ({error}); {_REPLACE}") from error
    if seen.frames < last - first - _SHORT * seen.rate:
        raise TrackError(f"{path}: truncated, {seen.frames} of {last - first} frames; {_REPLACE}")
    if not seen.finite:
        raise TrackError(f"{path}: holds NaN or infinite samples; {_REPLACE}")
    if not seen.mono:
        what = "its channels cancel out" if seen.channels else "every sample is zero"
        raise TrackError(f"{path}: is silent, {what}; {_REPLACE}")
    if not len(resampled):
        raise TrackError(
            f"{path}: no sample is left of {seen.frames} at {sample_rate} Hz; {_REPLACE}"
        )
    return resampled


class _Forward(soundfile.SoundFile):  # type: ignore[misc]  # soundfile has no types
    """A file that is read block after block as it would be in one go.

    soundfile seeks after every read of a seekable file, which starts an MP3 decoder anew: at the
    lower sampling rates it then gives other samples in their last bit.
    """

    def seekable(self) -> bool:
        """Not after reads; `seek` itself works."""
        return False


@dataclass
class _Seen:
    """What the blocks of a track were like.

    Attributes:
        rate: of the file, in Hz.
        frames: decoded.
        channels: whether any sample was not zero.
        mono: whether any was not after averaging the channels.
        finite: whether all were numbers.
    """

    rate: int
    frames: int = 0
    channels: bool = False
    mono: bool = False
    finite: bool = True


def _resample(
    file: soundfile.SoundFile, frames: int, sample_rate: int
) -> tuple[NDArray[np.float32], _Seen]:
    """The next `frames` of a file as mono at `sample_rate`, and what was seen on the way.

    The stream and soxr's resampling in one go give the same samples.
    """
    seen = _Seen(file.samplerate)
    stream = soxr.ResampleStream(file.samplerate, sample_rate, 1, dtype="float32")
    resampled = np.empty(-(-frames * sample_rate // file.samplerate) + 1, dtype=np.float32)
    length = 0
    while seen.frames < frames:
        block = file.read(min(_BLOCK, frames - seen.frames), dtype="float32", always_2d=True)
        if not len(block):  # cut short
            part = stream.resample_chunk(np.empty(0, dtype=np.float32), last=True)
            resampled[length : length + len(part)] = part
            length += len(part)
            break
        mono = block.mean(axis=1, dtype=np.float32)
        seen.frames += len(block)
        seen.channels |= bool(block.any())
        seen.mono |= bool(mono.any())
        seen.finite &= bool(np.isfinite(mono).all())
        part = stream.resample_chunk(mono, last=seen.frames == frames)
        resampled[length : length + len(part)] = part
        length += len(part)
    return resampled[:length], seen


def load_ahead(tracks: Sequence[Track], sample_rate: int) -> Generator[Decoded, None, None]:
    """Load tracks in their order, a few ahead of the reader, in threads.

    Beside the reader's track, up to nine lie in memory that take `AHEAD_BYTES` together, or one
    that takes more. At 16 kHz an hour and ten minutes take 269 MB, so that 540 MB and the blocks of
    `load` are the peak for files of that length.

    Args:
        tracks: what to load.
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


def check_file(path: Path) -> None:
    """Refuse a file that is missing, empty or cut short, as far as shows without decoding it.

    Raises:
        TrackError: says which, and what to do.
    """
    try:
        if not path.is_file():
            raise TrackError(f"{path}: no such audio file; check its path or the data set's folder")
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(12)
    except OSError as error:
        reason = error.strerror or error
        raise TrackError(f"{path}: cannot be read ({reason}); check its permissions") from error
    if size == 0:
        raise TrackError(f"{path}: is empty; {_REPLACE}")
    declared = _declared_size(head)
    if declared > size + 1:  # some writers leave out the last byte of padding
        raise TrackError(f"{path}: truncated, {size} of {declared} bytes; {_REPLACE}")


def _declared_size(head: bytes) -> int:
    """Bytes that a WAV, AIFF or AU file says it has; 0 where it does not say.

    libsndfile reads these formats as if they were whole when they were cut short.
    """
    if len(head) < 12:
        return 0
    if head[:4] == b".snd":
        before, declared = struct.unpack(">II", head[4:])
    else:
        order = {b"RIFF": "<I", b"FORM": ">I"}.get(head[:4])
        if order is None:
            return 0
        before, declared = 8, struct.unpack(order, head[4:8])[0]
    # programs that write into a pipe put the largest number there
    return 0 if declared == 0 or declared >= 0x7FFFF000 else before + declared
