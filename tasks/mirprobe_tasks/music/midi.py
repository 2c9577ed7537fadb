"""Writes parts as a standard MIDI file with 0.5 ms per tick."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from mirprobe_tasks.music.notes import Part

TICK = 0.0005
"""Seconds per tick; every note time is a multiple of it."""

_DIVISION = 1000  # ticks per quarter note: 0.5 ms at the default tempo of 0.5 s per quarter
_DRUM_CHANNEL = 9
_VOLUME, _REVERB, _CHORUS, _ALL_RELEASED = 7, 91, 93, 123


def part_to_midi(part: Part, tuning: float, duration: float) -> bytes:
    """Write a part as a format 0 file; see `parts_to_midi`."""
    return parts_to_midi([(part, 127)], tuning, duration)


def parts_to_midi(parts: Sequence[tuple[Part, int]], tuning: float, duration: float) -> bytes:
    """Write parts as a format 0 file, one channel per part.

    Args:
        parts: parts with the volumes of their channels, 0 to 127; at most 15 pitched parts.
        tuning: deviation from A = 440 Hz in cents, for pitched parts.
        duration: of the file, in seconds.
    """
    events: list[tuple[int, int, bytes]] = []
    pitched = iter(channel for channel in range(16) if channel != _DRUM_CHANNEL)
    for part, volume in parts:
        channel = _DRUM_CHANNEL if part.role == "drums" else next(pitched)
        events += _events(part, channel, volume, tuning)
        events.append((round(duration / TICK), 3, bytes([0xB0 | channel, _ALL_RELEASED, 0])))
    events.sort()

    track = bytearray()
    now = 0
    for tick, _, message in events:
        track += _variable(tick - now) + message
        now = tick
    track += b"\x00\xff\x2f\x00"
    header = struct.pack(">4sIHHH", b"MThd", 6, 0, 1, _DIVISION)
    return header + struct.pack(">4sI", b"MTrk", len(track)) + bytes(track)


def _events(part: Part, channel: int, volume: int, tuning: float) -> list[tuple[int, int, bytes]]:
    """The messages of a channel: tick, order within the tick, message."""
    # reverb and chorus of the synthesiser are off: `rendering.record` adds the room
    setup = [(_VOLUME, volume), (_REVERB, 0), (_CHORUS, 0)]
    events = [(0, 0, bytes([0xB0 | channel, control, value])) for control, value in setup]
    if part.role != "drums":
        bend = round(8192 + 8192 * tuning / 200)  # the default range is two semitones
        events.append((0, 0, bytes([0xC0 | channel, part.program])))
        events.append((0, 0, bytes([0xE0 | channel, bend & 0x7F, bend >> 7])))
    for note in part.notes:
        # within a tick, note-offs precede note-ons
        on = bytes([0x90 | channel, note.pitch, note.velocity])
        events.append((round(note.start / TICK), 2, on))
        events.append((round(note.end / TICK), 1, bytes([0x80 | channel, note.pitch, 0])))
    return events


def _variable(value: int) -> bytes:
    """A variable-length quantity: seven bits per byte; the high bit is 0 only in the last byte."""
    groups = [value & 0x7F]
    while value := value >> 7:
        groups.append(value & 0x7F | 0x80)
    return bytes(reversed(groups))
