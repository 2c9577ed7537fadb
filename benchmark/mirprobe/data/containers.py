"""What an audio file's container says of its length, compared with the bytes that are there.

libsndfile reads a file that was cut short as if it were complete, and reads only the first of
several streams that were joined. These checks read headers only; they decode nothing.

Sources: RIFF/WAVE (Microsoft, 1991), RF64 (EBU Tech 3306), Sony Wave64 (2003), AIFF (Apple, 1989),
Sun AU, RFC 3533 (Ogg), RFC 9639 (FLAC).
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_UNKNOWN = 0x7FFFF000
"""Programs that write into a pipe put sizes from here on."""

_W64_RIFF, _W64_DATA = b"riff\x2e\x91\xcf\x11", b"data\xf3\xac\xd3\x11"
_FLAC = b"fLaC\x00\x00\x00\x22"  # the marker and the header of STREAMINFO


def missing_bytes(file: BinaryIO, size: int) -> int:
    """How many bytes of samples a WAV, RF64, W64, AIFF or AU file lacks.

    Args:
        file: opened for reading.
        size: of the file, in bytes.

    Returns:
        0 for a complete file, for another format, and where the header states no length.
    """
    end = max(_ends(file), default=0)
    return max(0, end - size)


def _ends(file: BinaryIO) -> Iterator[int]:
    """Where the chunk of samples ends by its header; nothing for another format."""
    head = file.read(40)
    if head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE":
        yield from _chunk_end(file, "<I", b"data")
    elif head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        yield from _chunk_end(file, ">I", b"SSND")
    elif head[:4] == b".snd" and len(head) >= 12:
        offset, length = struct.unpack(">II", head[4:12])
        if 0 < length < _UNKNOWN:
            yield offset + length
    elif head[:8] == _W64_RIFF:
        place = 40
        while len(chunk := _at(file, place, 24)) == 24:
            (length,) = struct.unpack("<Q", chunk[16:])
            if chunk[:8] == _W64_DATA:
                yield place + length
                return
            place += max(24, -(-length // 8) * 8)


def _chunk_end(file: BinaryIO, order: str, wanted: bytes) -> Iterator[int]:
    place, long_size = 12, 0
    while len(chunk := _at(file, place, 24)) >= 8:
        (length,) = struct.unpack(order, chunk[4:8])
        if chunk[:4] == b"ds64" and len(chunk) == 24:
            (long_size,) = struct.unpack("<Q", chunk[16:24])
        if chunk[:4] == wanted:
            if length == 0xFFFFFFFF and long_size:
                length = long_size
            elif length >= _UNKNOWN:
                length = 0
            yield place + 8 + length
            return
        place += 8 + length + length % 2


def _at(file: BinaryIO, place: int, count: int) -> bytes:
    file.seek(place)
    return file.read(count)


def stream_count(path: Path) -> int:
    """How many streams an Ogg or FLAC file holds one after the other; 1 for another format.

    Args:
        path: a file that is not empty.
    """
    with path.open("rb") as file:
        head = file.read(8)
        if head[:4] not in (b"OggS", b"fLaC"):
            return 1
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return _ogg_streams(content) if head[:4] == b"OggS" else _flac_streams(content)


def _flac_streams(content: mmap.mmap) -> int:
    count, place = 0, content.find(_FLAC)
    while place >= 0:
        count, place = count + 1, content.find(_FLAC, place + len(_FLAC))
    return max(1, count)


def _ogg_streams(content: mmap.mmap) -> int:
    """Groups of pages that begin a stream: streams that are multiplexed begin together."""
    count, place, began = 0, 0, False
    while content[place : place + 4] == b"OggS" and place + 27 <= len(content):
        segments = content[place + 26]
        begins = bool(content[place + 5] & 2)
        count += begins and not began
        began = begins
        place += 27 + segments + sum(content[place + 27 : place + 27 + segments])
    return max(1, count)
