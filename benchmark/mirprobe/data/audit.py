"""Leakage between splits: equal audio, near-equal audio, and groups on both sides.

Near-equal audio is found by the fingerprint of Haitsma & Kalker (A Highly Robust Audio
Fingerprinting System, ISMIR 2002): 32 bits a frame, the signs of the differences of band energies
over time and frequency. It survives codecs, cuts and gain, but no other pitch or tempo.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from mirprobe.core.hashing import digest
from mirprobe.core.schema import Split, Track
from mirprobe.data.audio import load
from mirprobe.data.tracks import Tracks

RATE, FRAME, HOP = 5512, 2048, 64  # Hz, samples, samples: 0.37 s and 11.6 ms, as in the paper
BANDS = np.geomspace(300, 2000, 34)  # Hz, edges of 33 bands
ERRORS = 0.35
"""Largest share of wrong bits of near-equal audio, as in the paper."""
SHORTEST = 256
"""Least number of frames that are compared: 3 s."""
_COMMON = 20  # a value of a frame that is more frequent says little

Bits = NDArray[np.uint32]


@dataclass(frozen=True)
class Leak:
    """Two tracks of different splits that are too similar.

    Attributes:
        first: a track, and its split.
        second: the other.
        what: `equal audio`, `near-equal audio` or `same group`, with details.
    """

    first: tuple[str, Split]
    second: tuple[str, Split]
    what: str


def fingerprint(samples: NDArray[np.float32]) -> Bits:
    """(frames,) the bits of each frame of audio at `RATE`."""
    if len(samples) < FRAME + HOP:
        return np.empty(0, dtype=np.uint32)
    windows = np.lib.stride_tricks.sliding_window_view(samples, FRAME)[::HOP]
    edges = np.round(BANDS * FRAME / RATE).astype(int)
    energies = [
        np.add.reduceat(np.abs(np.fft.rfft(part * np.hanning(FRAME))) ** 2, edges, axis=1)[:, :-1]
        for part in np.array_split(windows, -(-len(windows) // 1024))
    ]
    energy = np.concatenate(energies)  # (frames, 33)
    signs = np.diff(np.diff(energy, axis=1), axis=0) < 0
    return np.packbits(signs, axis=1).view(">u4")[:, 0].astype(np.uint32)


def error_rate(one: Bits, other: Bits) -> float:
    """Share of bits that differ between two fingerprints of the same length."""
    return float(np.unpackbits((one ^ other).view(np.uint8)).mean())


def leaks(tracks: Tracks) -> Iterator[Leak]:
    """Pairs of tracks of different splits with equal or near-equal audio, or of one group.

    Args:
        tracks: by split, with their audio.

    Raises:
        TrackError: the audio of a track cannot be read.
    """
    every = [(track, split) for split, own in tracks.items() for track in own]
    by_group: dict[str, list[tuple[Track, Split]]] = {}
    for track, split in every:
        by_group.setdefault(track.group, []).append((track, split))
    for group, own in by_group.items():
        for (one, left), (other, right) in combinations(own, 2):
            if left != right:
                yield Leak((one.id, left), (other.id, right), f"same group '{group}'")
    audio = [load(track, RATE) for track, _ in every]
    contents = [digest(samples.tobytes().hex()) for samples in audio]
    prints = [fingerprint(samples) for samples in audio]
    for a, b, errors, seconds in _near(prints, [split for _, split in every]):
        (one, left), (other, right) = every[a], every[b]
        what = f"near-equal audio, {100 * errors:.0f} % of bits differ, {seconds:+.1f} s apart"
        if contents[a] == contents[b]:
            what = "equal audio"
        yield Leak((one.id, left), (other.id, right), what)


def _near(
    prints: Sequence[Bits], splits: Sequence[Split]
) -> Iterator[tuple[int, int, float, float]]:
    """Indices of near-equal tracks of different splits, their bit errors and offset in seconds."""
    values = np.concatenate(prints)
    owner = np.repeat(np.arange(len(prints)), [len(one) for one in prints])
    place = np.concatenate([np.arange(len(one)) for one in prints])
    names = {name: index for index, name in enumerate(dict.fromkeys(splits))}
    side = np.array([names[split] for split in splits])
    order = np.argsort(values, kind="stable")  # equal values keep the order of tracks
    votes: dict[tuple[int, int, int], int] = {}
    for step in range(1, _COMMON):
        left, right = order[:-step], order[step:]
        hit = (values[left] == values[right]) & (side[owner[left]] != side[owner[right]])
        pairs = np.stack([owner[left], owner[right], place[left] - place[right]])[:, hit]
        found, counts = np.unique(pairs, axis=1, return_counts=True)
        for key, count in zip(map(tuple, found.T.tolist()), counts.tolist(), strict=True):
            votes[key] = votes.get(key, 0) + count
    best: dict[tuple[int, int], tuple[float, int]] = {}
    for (a, b, offset), count in votes.items():
        one, other = prints[a][max(0, offset) :], prints[b][max(0, -offset) :]
        length = min(len(one), len(other))
        if count < 3 or length < min(SHORTEST, len(prints[a]), len(prints[b])):
            continue
        errors = error_rate(one[:length], other[:length])
        if errors < ERRORS:
            best[a, b] = min(best.get((a, b), (1.0, 0)), (errors, offset))
    for (a, b), (errors, offset) in sorted(best.items()):
        yield a, b, errors, offset * HOP / RATE
