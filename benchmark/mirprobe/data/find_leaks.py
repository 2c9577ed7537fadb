"""Leakage between splits: equal audio, near-equal audio, and groups on both sides.

Near-equal audio is found by the fingerprint of Haitsma & Kalker (A Highly Robust Audio
Fingerprinting System, ISMIR 2002): 32 bits a frame, the signs of the differences of band energies
over time and frequency. It survives codecs, cuts and gain, but no other tempo. Fingerprints at
other pitches, whose bands are shifted, find audio that is half a semitone or a semitone higher or
lower.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mirprobe.core.errors import TrackError
from mirprobe.core.hashing import digest
from mirprobe.core.schema import Track
from mirprobe.data.audio import prefetch

RATE, FRAME, HOP = 5512, 2048, 64  # Hz, samples, samples: 0.37 s and 11.6 ms, as in the paper
BANDS = np.geomspace(300, 2000, 34)  # Hz, edges of 33 bands
ERRORS = 0.35
"""Largest share of wrong bits of near-equal audio, as in the paper."""
SHORTEST = 256
"""Least number of frames that are compared: 3 s."""
_COMMON = 20  # a value of a frame that is more frequent says little

SHIFTS = (0.0, 0.5, 1.0)
"""Semitones between two tracks that are compared."""

Bits = NDArray[np.uint32]
Sides = Mapping[Any, Sequence[Track]]
"""The tracks of each split, or of each split of several data sets."""


@dataclass(frozen=True)
class Leak:
    """Two tracks of different splits that are too similar.

    Attributes:
        first: a track, and its split.
        second: the other.
        what: `equal audio`, `near-equal audio` or `same group`, with details.
    """

    first: tuple[str, str]
    second: tuple[str, str]
    what: str


def fingerprints(samples: NDArray[np.float32], shifts: Sequence[float] = SHIFTS) -> list[Bits]:
    """(frames,) the bits of each frame of audio at `RATE`, with bands some semitones higher."""
    if len(samples) < FRAME + HOP:
        return [np.empty(0, dtype=np.uint32)] * len(shifts)
    windows = np.lib.stride_tricks.sliding_window_view(samples, FRAME)[::HOP]
    edges = np.round(np.outer(2 ** (np.array(shifts) / 12), BANDS) * FRAME / RATE).astype(int)
    parts = []
    for part in np.array_split(windows, -(-len(windows) // 1024)):
        power = np.abs(np.fft.rfft(part * np.hanning(FRAME))[:, : edges.max() + 1]) ** 2
        parts.append([np.add.reduceat(power, own, axis=1)[:, :-1] for own in edges])
    found = []
    for energies in zip(*parts, strict=True):
        energy = np.concatenate(energies)  # (frames, 33)
        signs = np.diff(np.diff(energy, axis=1), axis=0) < 0
        found.append(np.packbits(signs, axis=1).view(">u4")[:, 0].astype(np.uint32))
    return found


def error_rate(one: Bits, other: Bits) -> float:
    """Share of bits that differ between two fingerprints of the same length."""
    return float(np.unpackbits((one ^ other).view(np.uint8)).mean())


def same_groups(sides: Sides) -> Iterator[Leak]:
    """Pairs of tracks of different splits that have one group."""
    by_group: dict[str, list[tuple[str, str]]] = {}
    for side, tracks in sides.items():
        for track in tracks:
            by_group.setdefault(track.group, []).append((track.id, side))
    by_group.pop("", None)
    for group, own in by_group.items():
        for one, other in combinations(own, 2):
            if one[1] != other[1]:
                yield Leak(one, other, f"same group '{group}'")


def same_files(sides: Sides, hashes: Callable[[Path], str]) -> Iterator[Leak]:
    """Pairs of tracks of different splits that share a part of equal files.

    Args:
        sides: the tracks of each split; files that cannot be read are left out.
        hashes: file -> hash of its bytes.
    """
    by_content: dict[str, list[tuple[Track, str]]] = {}
    for side, tracks in sides.items():
        for track in tracks:
            try:
                by_content.setdefault(hashes(track.audio), []).append((track, side))
            except OSError:  # reported where it is decoded
                continue
    for own in by_content.values():
        for (one, left), (other, right) in combinations(own, 2):
            apart = one.stop is not None and one.stop <= other.start
            apart |= other.stop is not None and other.stop <= one.start
            if left != right and not apart:
                yield Leak((one.id, left), (other.id, right), "equal audio")


def leaks(sides: Sides, problems: MutableMapping[str, str]) -> Iterator[Leak]:
    """Pairs of tracks of different splits with equal or near-equal audio, or of one group.

    Args:
        sides: the tracks of each split, with their audio.
        problems: gets track -> reason of those whose audio cannot be read.
    """
    yield from same_groups(sides)
    every = [(track, side) for side, own in sides.items() for track in own]
    contents: list[str] = []
    prints: dict[float, list[Bits]] = {shift: [] for shift in SHIFTS}
    for (track, _), audio in zip(every, prefetch([track for track, _ in every], RATE), strict=True):
        if isinstance(audio, TrackError):
            problems[track.id] = str(audio)
            audio = np.empty(0, dtype=np.float32)
        contents.append(digest(audio.tobytes().hex()))
        for own, bits in zip(prints.values(), fingerprints(audio), strict=True):
            own.append(bits)
    found: dict[tuple[int, int], tuple[float, float, float]] = {}
    for shift, shifted in prints.items():
        for pair, errors, seconds in _near(prints[0.0], shifted, [side for _, side in every]):
            best = min(found.get(pair, (1.0, 0.0, 0.0)), (errors, seconds, shift))
            found[pair] = best
    for (a, b), (errors, seconds, shift) in sorted(found.items()):
        (one, left), (other, right) = every[a], every[b]
        what = f"near-equal audio, {100 * errors:.0f} % of bits differ, {seconds:+.1f} s apart"
        if shift:
            what += f", about {shift:g} semitone{'' if shift == 1 else 's'} apart"
        if contents[a] == contents[b]:
            what = "equal audio"
        yield Leak((one.id, left), (other.id, right), what)


def _near(
    prints: Sequence[Bits], shifted: Sequence[Bits], splits: Sequence[str]
) -> Iterator[tuple[tuple[int, int], float, float]]:
    """Indices of near-equal tracks of different splits, their bit errors and offset in seconds.

    Args:
        prints: the fingerprint of each track.
        shifted: those at another pitch; a pair has one fingerprint of each.
        splits: of each track.
    """
    both = [*prints, *shifted]
    values = np.concatenate(both)
    lengths = [len(one) for one in both]
    owner = np.repeat(np.arange(len(both)), lengths)
    place = np.concatenate([np.arange(length) for length in lengths])
    names = {name: index for index, name in enumerate(dict.fromkeys(splits))}
    side = np.array([names[split] for split in splits] * 2)
    second = np.arange(len(both)) >= len(prints)
    order = np.argsort(values, kind="stable")  # equal values keep the order: shifted ones are last
    votes: dict[tuple[int, int, int], int] = {}
    for step in range(1, _COMMON):
        left, right = order[:-step], order[step:]
        one, other = owner[left], owner[right]
        hit = (values[left] == values[right]) & (side[one] != side[other])
        hit &= second[one] < second[other]
        pairs = np.stack([one, other, place[left] - place[right]])[:, hit]
        found, counts = np.unique(pairs, axis=1, return_counts=True)
        for key, count in zip(map(tuple, found.T.tolist()), counts.tolist(), strict=True):
            votes[key] = votes.get(key, 0) + count
    best: dict[tuple[int, int], tuple[float, int]] = {}
    for (a, b, offset), count in votes.items():
        own, their = both[a][max(0, offset) :], both[b][max(0, -offset) :]
        length = min(len(own), len(their))
        if count < 3 or length < min(SHORTEST, len(both[a]), len(both[b])):
            continue
        errors = error_rate(own[:length], their[:length])
        if errors < ERRORS:
            b -= len(prints)
            pair, offset = ((a, b), offset) if a < b else ((b, a), -offset)
            best[pair] = min(best.get(pair, (1.0, 0)), (errors, offset))
    for pair, (errors, offset) in best.items():
        yield pair, errors, offset * HOP / RATE
