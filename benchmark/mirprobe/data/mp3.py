"""MP3 files whose length libsndfile only estimates: their frames counted, their samples decoded.

The format has no field for the length. libsndfile takes it from an index in the first frame (Xing,
Info or VBRI). Without an index it extrapolates from the first bit rate, which is wrong for a
variable bit rate, and it stops reading there. Frame headers: ISO/IEC 11172-3, section 2.4.1.3.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mirprobe.core.audio_stream import ForwardFile
from mirprobe.data.containers import TAGS

_BIT_RATES = {  # in kbit/s, by (MPEG 1, layer)
    (True, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = (44_100, 48_000, 32_000)
_INDEX = (b"Xing", b"Info", b"VBRI")
_BLOCK = 1 << 16


@dataclass(frozen=True)
class Mp3Frames:
    """The frames of an MP3 file.

    Attributes:
        samples: in all frames that hold audio, per channel, at the rate of the file.
        per_frame: samples in one frame.
        indexes: frames that hold an index of a stream instead of audio.
    """

    samples: int
    per_frame: int
    indexes: int


@dataclass(frozen=True)
class _Header:
    size: int  # bytes of the frame
    samples: int
    index_at: int  # where an index lies in the frame


def _header(content: bytes, place: int) -> _Header | None:
    """The frame that begins at `place`; None where no frame does."""
    if place + 4 > len(content) or content[place] != 0xFF or content[place + 1] & 0xE0 != 0xE0:
        return None
    second, third, fourth = content[place + 1 : place + 4]
    version, layer = (second >> 3) & 3, 4 - ((second >> 1) & 3)
    rate_index, bit_index, padding = (third >> 2) & 3, third >> 4, (third >> 1) & 1
    if version == 1 or layer == 4 or rate_index == 3 or bit_index in (0, 15):
        return None
    mpeg1 = version == 3
    rate = _RATES[rate_index] // (1 if mpeg1 else 2 if version == 2 else 4)
    bits = _BIT_RATES[mpeg1, layer][bit_index] * 1000
    samples = 384 if layer == 1 else 576 if layer == 3 and not mpeg1 else 1152
    unit = 4 if layer == 1 else 1
    size = (samples // 8 * bits // rate // unit + padding) * unit
    mono = fourth >> 6 == 3
    side = (17 if mono else 32) if mpeg1 else (9 if mono else 17)
    return _Header(size, samples, place + 4 + side)


def count_frames(path: Path) -> Mp3Frames:
    """Walk through the frames of a file, past tags and damaged bytes."""
    content = path.read_bytes()
    place, samples, per_frame, indexes = 0, 0, 1152, 0
    while place < len(content):
        if content[place : place + 3] == b"ID3" and place + 10 <= len(content):
            one, two, three, four = content[place + 6 : place + 10]
            place += 10 + (one << 21 | two << 14 | three << 7 | four)
            continue
        header = _header(content, place)
        after = place + header.size if header else 0
        if header is None or not _goes_on(content, after):
            place = content.find(b"\xff", place + 1)
            if place < 0:
                break
            continue
        if after > len(content):
            break
        index = content[header.index_at : header.index_at + 4]
        if index in _INDEX or content[place + 36 : place + 40] == b"VBRI":
            indexes += 1
        else:
            samples, per_frame = samples + header.samples, header.samples
        place = after
    return Mp3Frames(samples, per_frame, indexes)


def _goes_on(content: bytes, place: int) -> bool:
    """Whether a frame, a tag or the end of the file follows."""
    if place >= len(content) - 4:
        return True
    tag = content[place : place + 3] in TAGS
    return tag or _header(content, place) is not None


def decode_whole(path: Path) -> Iterator[NDArray[np.float32]]:
    """Decode a file without an index to its end, (frames, channels) at a time.

    The bytes go through a pipe: libsndfile knows no length there and reads until the data end.
    """
    read_end, write_end = os.pipe()

    def feed() -> None:
        try:
            with os.fdopen(write_end, "wb") as sink, path.open("rb") as source:
                while block := source.read(_BLOCK):
                    sink.write(block)
        except BrokenPipeError:  # the reader stopped early
            return

    feeder = threading.Thread(target=feed, daemon=True)
    feeder.start()
    try:
        with ForwardFile(read_end, closefd=True) as file:
            while len(block := file.read(_BLOCK, dtype="float32", always_2d=True)):
                yield block
    finally:
        feeder.join()
