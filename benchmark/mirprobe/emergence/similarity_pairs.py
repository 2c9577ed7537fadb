"""Pairs of frames and pairs of tracks that share a musical property ("same"), or not ("other").

Frames of one track, at least `APART` seconds apart:
- `chord`: both frames have one of the 24 major and minor triads (rule of mir_eval). Same: equal
  triads.
- `beat`: phases within the beat. Same: they differ by at most 0.1 beat; other: by at least 0.25.
- `section`: labels of sections. Same: equal labels.
Frames that are close in time are similar for that reason alone. The numbers of same and other
pairs are therefore equal at every distance in time (in whole seconds).

Tracks of different groups (artists or works):
- `key`: keys, with enharmonic keys merged. Same: equal keys.
- `tags`: same: at least one third of the union of their tags is shared; other: no tag is shared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mirprobe.core.hashing import digest
from mirprobe.core.schema import Annotations, Floats, Segments, Track
from mirprobe.metrics.chord import LABELS, chord_class
from mirprobe.metrics.key import key_class

Ints = NDArray[np.int64]
Kinds = NDArray[np.int8]
"""1 for a same pair, 0 for an other pair, -1 for a pair that is left out."""

APART = 1.0  # minimum seconds between two frames
CANDIDATES = 40_000  # pairs of frames drawn from a track
PAIRS = 1000  # maximum pairs of each kind
FEWEST = 50  # minimum pairs of each kind; tracks with fewer are left out
SAME_PHASE, OTHER_PHASE = 0.1, 0.25  # of a beat
SHARED = 1 / 3  # minimum share of the union of the tags

Compare = Callable[[Ints, Ints], Kinds]


def _by_label(labels: Ints) -> Compare:
    """Compare labels; a negative label means none."""

    def compare(first: Ints, second: Ints) -> Kinds:
        a, b = labels[first], labels[second]
        return np.where((a < 0) | (b < 0), -1, a == b).astype(np.int8)

    return compare


def _frame_labels(segments: Segments, numbers: Ints, times: Floats) -> Ints:
    """The number of the segment of each frame, -1 outside all segments."""
    place = np.searchsorted(segments.intervals[:, 0], times, side="right") - 1
    inside = (place >= 0) & (times < segments.intervals[np.maximum(place, 0), 1])
    return np.where(inside, numbers[np.maximum(place, 0)], -1)


def chord(annotations: Annotations, times: Floats) -> Compare | None:
    """Compare major and minor triads; `N` (no chord) and other chords are left out."""
    if annotations.chords is None or not annotations.chords.labels:
        return None
    classes = np.array([chord_class(label) for label in annotations.chords.labels])
    numbers = np.where(classes == LABELS.index("N"), -1, classes)
    return _by_label(_frame_labels(annotations.chords, numbers, times))


def section(annotations: Annotations, times: Floats) -> Compare | None:
    """Compare the labels of sections."""
    if annotations.sections is None or not annotations.sections.labels:
        return None
    numbers = np.unique(annotations.sections.labels, return_inverse=True)[1]
    return _by_label(_frame_labels(annotations.sections, numbers, times))


def beat(annotations: Annotations, times: Floats) -> Compare | None:
    """Compare phases within the beat; frames before the first and after the last are left out."""
    if annotations.beats is None or len(annotations.beats.times) < 2:
        return None
    beats = annotations.beats.times
    place = np.interp(times, beats, np.arange(len(beats)), left=np.nan, right=np.nan)

    def compare(first: Ints, second: Ints) -> Kinds:
        apart = np.abs(place[first] - place[second]) % 1
        apart = np.minimum(apart, 1 - apart)
        kinds = np.where(apart <= SAME_PHASE, 1, np.where(apart >= OTHER_PHASE, 0, -1))
        return kinds.astype(np.int8)  # NaN gives -1

    return compare


FRAMES: Mapping[str, Callable[[Annotations, Floats], Compare | None]] = {
    "chord": chord,
    "beat": beat,
    "section": section,
}


def frame_pairs(
    relation: str, track: Track, frames: int, frame_rate: float, seed: int
) -> tuple[Ints, Ints] | None:
    """Draw pairs of frames of one track.

    Args:
        relation: one of `FRAMES`.
        track: a track with its annotations.
        frames: number of frames; frame i is at i / frame_rate seconds.
        frame_rate: frames per second.
        seed: pairs depend only on the seed, the relation and the id of the track.

    Returns:
        Same pairs and other pairs, (n, 2) frame indices each, in equal numbers at every distance.
        None if the track has no such annotation or fewer than `FEWEST` pairs of a kind.
    """
    compare = FRAMES[relation](track.annotations, np.arange(frames) / frame_rate)
    if compare is None:
        return None
    rng = np.random.default_rng(int(digest("pairs", relation, track.id, seed)[:16], 16))
    drawn = rng.integers(0, frames, (CANDIDATES, 2))
    drawn = drawn[drawn[:, 1] - drawn[:, 0] >= np.ceil(APART * frame_rate)]
    # a pair as one number: np.unique over rows takes ten times as long
    numbers = rng.permutation(np.unique(drawn[:, 0] * frames + drawn[:, 1]))
    drawn = np.stack(np.divmod(numbers, frames), axis=1)
    kinds = compare(drawn[:, 0], drawn[:, 1])
    distance = ((drawn[:, 1] - drawn[:, 0]) / frame_rate).astype(np.int64)
    same, other = [], []
    for seconds in np.unique(distance):
        here = distance == seconds
        mine, theirs = drawn[here & (kinds == 1)], drawn[here & (kinds == 0)]
        count = min(len(mine), len(theirs))
        same.append(mine[:count])
        other.append(theirs[:count])
    if sum(map(len, same)) < FEWEST:
        return None
    joined = np.concatenate(same), np.concatenate(other)
    kept = rng.permutation(len(joined[0]))[:PAIRS]
    return joined[0][kept], joined[1][kept]


def key_kinds(tracks: Sequence[Track]) -> Kinds:
    """Kinds of pairs of tracks by key, (tracks, tracks)."""
    classes = np.array(
        [-1 if t.annotations.key is None else key_class(t.annotations.key) for t in tracks]
    )
    known = (classes[:, None] >= 0) & (classes >= 0)
    return _apart(np.where(known, classes[:, None] == classes, -1), tracks)


def tag_kinds(tracks: Sequence[Track]) -> Kinds:
    """Kinds of pairs of tracks by tags, (tracks, tracks); a relevance above 0.5 is a tag."""
    sets = [
        {tag for tag, relevance in (track.annotations.tags or {}).items() if relevance > 0.5}
        for track in tracks
    ]
    names = sorted(set().union(*sets))
    has = np.array([[name in own for name in names] for own in sets], dtype=np.int64)
    size, shared = has.sum(axis=1), has @ has.T
    union = size[:, None] + size - shared
    kinds = np.where(shared >= SHARED * union, 1, np.where(shared == 0, 0, -1))
    return _apart(np.where((size[:, None] > 0) & (size > 0), kinds, -1), tracks)


def _apart(kinds: Ints, tracks: Sequence[Track]) -> Kinds:
    """Leave out pairs of tracks within a group, and pairs of a track with itself."""
    groups = np.array([track.group for track in tracks])
    return np.where(groups[:, None] == groups, -1, kinds).astype(np.int8)


TRACKS: Mapping[str, Callable[[Sequence[Track]], Kinds]] = {"key": key_kinds, "tags": tag_kinds}
