"""FLAC files: how many streams they hold, and how many samples (RFC 9639).

libsndfile believes the number of samples in the header. The last frame tells the true one.
"""

from __future__ import annotations

import mmap
from pathlib import Path

_START = b"fLaC\x00\x00\x00\x22"  # the marker and the header of STREAMINFO
_SIZES = {1: 192, **{code: 144 << code for code in (2, 3, 4, 5)}}
_SIZES |= {code: 1 << code for code in range(8, 16)}


def flac_streams(content: mmap.mmap) -> int:
    """How many streams lie one after the other."""
    count, place = 0, content.find(_START)
    while place >= 0:
        count, place = count + 1, content.find(_START, place + len(_START))
    return max(1, count)


def last_sample(path: Path) -> int:
    """Where the last frame of a file ends, in samples; 0 if no frame is found."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        start = content.find(_START)
        if start < 0:
            return 0
        block = int.from_bytes(content[start + 10 : start + 12], "big")
        place = len(content)
        while (place := content.rfind(b"\xff", start + 42, place)) >= 0:
            if end := _frame_end(content[place : place + 16], block):
                return end
    return 0


def _frame_end(header: bytes, block: int) -> int:
    """Where the frame with this header ends, in samples; 0 if it is no header (section 9.1)."""
    if len(header) < 6 or header[1] not in (0xF8, 0xF9) or header[3] & 1 or header[2] & 15 == 15:
        return 0
    length = max(1, 8 - (header[4] ^ 0xFF).bit_length()) if header[4] & 0x80 else 1
    number = header[4] & (0x7F >> (length if length > 1 else 0))
    for byte in header[5 : 4 + length]:
        number = number << 6 | byte & 0x3F
    place, code = 4 + length, header[2] >> 4
    wide = {6: 1, 7: 2}.get(code, 0)
    size = int.from_bytes(header[place : place + wide], "big") + 1 if wide else _SIZES.get(code, 0)
    place += wide + {12: 1, 13: 2, 14: 2}.get(header[2] & 15, 0)
    if not size or place >= len(header) or _crc8(header[:place]) != header[place]:
        return 0
    return size + number * (1 if header[1] == 0xF9 else block)


def _crc8(content: bytes) -> int:
    checksum = 0
    for byte in content:
        checksum ^= byte
        for _ in range(8):
            checksum = (checksum << 1 ^ (0x107 if checksum & 0x80 else 0)) & 0x1FF
    return checksum & 0xFF
