"""What an audio file's container says of its length, compared with the bytes that are there.

libsndfile reads a file that was cut short as if it were complete, believes a length that is too
small, and reads only the first of several streams that were joined. These checks read headers only;
they decode nothing.

Sources: RIFF/WAVE (Microsoft, 1991), RF64 (EBU Tech 3306), Sony Wave64 (2003), AIFF (Apple, 1989),
Core Audio Format (Apple, 2005), Sun AU, RFC 3533 (Ogg).
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import BinaryIO

from mirprobe.data.flac import flac_streams

TAGS = (b"ID3", b"TAG", b"APE", b"LYR", b"3DI")
"""Beginnings of tags that players put behind the audio of any format."""

_UNKNOWN = 0x7FFFF000
"""Programs that write into a pipe put sizes from here on."""


@dataclass(frozen=True)
class Extent:
    """The bytes of a file beside what its container says of them.

    Attributes:
        samples: bytes of samples by the header; 0 where it states none.
        missing: of these, bytes beyond the end of the file.
        behind: all bytes behind the samples.
        unexplained: bytes after the samples that are neither a chunk, nor a tag, nor zero.
        streams: that lie one after the other.
        ended: False if the format marks the end of a stream, and the mark is missing.
    """

    samples: int = 0
    missing: int = 0
    behind: int = 0
    unexplained: int = 0
    streams: int = 1
    ended: bool = True


@dataclass(frozen=True)
class _Chunks:
    """How a container lays its chunks: names, sizes, and which of them holds the samples."""

    first: int
    name: int
    size: str
    data: bytes
    align: int = 2
    counts_header: bool = False


_RIFF = _Chunks(12, 4, "<I", b"data")
_AIFF = _Chunks(12, 4, ">I", b"SSND")
_CAF = _Chunks(8, 4, ">Q", b"data", 1)
_W64 = _Chunks(40, 16, "<Q", b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a", 8, True)
_FORMS = (
    (b"RIFF", (b"WAVE",), _RIFF),
    (b"RF64", (b"WAVE",), _RIFF),
    (b"FORM", (b"AIFF", b"AIFC"), _AIFF),
    (b"caff", (b"",), _CAF),
    (b"riff\x2e\x91\xcf\x11", (b"",), _W64),
)
"""Beginning of the file, of its ninth byte, and the chunks that follow."""


@cache
def measure(path: Path, size: int, mtime: int) -> Extent:
    """Compare a file with its container, once for each size and time of modification.

    Returns:
        `Extent()` for formats that state no length.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(16)
        if head[:4] in (b"OggS", b"fLaC"):
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                if head[:4] == b"OggS":
                    return _measure_ogg(content)
                return Extent(streams=flac_streams(content))
        for magic, kinds, form in _FORMS:
            if head.startswith(magic) and head[8:12].startswith(kinds):
                return _measure_chunks(file, size, form, magic)
        if head[:4] == b".snd" and len(head) == 16:
            offset, length = struct.unpack(">II", head[4:12])
            if 0 < length < _UNKNOWN:
                end = offset + length
                return _behind(file, size, head[:4], end, length, end)
    return Extent()


def _measure_chunks(file: BinaryIO, size: int, form: _Chunks, magic: bytes) -> Extent:
    header = form.name + struct.calcsize(form.size)
    place, long_size, samples, end = form.first, 0, 0, 0
    while len(chunk := _at(file, place, header)) == header:
        name = chunk[: form.name]
        (length,) = struct.unpack(form.size, chunk[form.name :])
        length -= header if form.counts_header else 0
        if name == b"ds64":
            (long_size,) = struct.unpack("<Q", _at(file, place + 16, 8).ljust(8, b"\0"))
        known = name == form.data and not end
        if known:
            if form is _CAF:
                length = 0 if length == 2**64 - 1 else length
            elif form is not _W64 and length >= _UNKNOWN:
                length = long_size if length == 0xFFFFFFFF else 0
            if not length:
                return Extent()
            samples, end = length, place + header + length
        elif (
            length < 0
            or name.startswith(magic)
            or (end and (not _named(name) or place + header + length > size))
        ):
            break
        place += header + -(-length // form.align) * form.align
        if place >= size:
            break
    if not end:
        return Extent()
    return _behind(file, size, magic, max(end, min(place, size)), samples, end)


def _named(name: bytes) -> bool:
    return all(32 <= letter < 127 for letter in name[:4])


def _behind(file: BinaryIO, size: int, magic: bytes, place: int, samples: int, end: int) -> Extent:
    """What lies from `place` on, behind the samples, which end at `end`."""
    missing, behind = max(0, end - size), max(0, size - end)
    rest = _at(file, place, 1 << 16).lstrip(b"\0") if place < size else b""
    if not rest or rest.startswith(TAGS):
        return Extent(samples, missing, behind)
    return Extent(samples, missing, behind, size - place, 2 if rest.startswith(magic) else 1)


def _at(file: BinaryIO, place: int, count: int) -> bytes:
    file.seek(place)
    return file.read(count)


def _measure_ogg(content: mmap.mmap) -> Extent:
    """Counts groups of pages that begin a stream: streams that are multiplexed begin together."""
    count, place, end, began, ended = 0, 0, 0, False, False
    while 0 <= place <= len(content) - 27:
        segments = content[place + 26]
        begins = bool(content[place + 5] & 2)
        count += begins and not began
        began = begins
        ended = bool(content[place + 5] & 4) or (ended and not begins)
        end = place + 27 + segments + sum(content[place + 27 : place + 27 + segments])
        place = content.find(b"OggS", end)
    missing = max(0, end - len(content))
    return Extent(missing=missing, streams=max(1, count), ended=ended)
