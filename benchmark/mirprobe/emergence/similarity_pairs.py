"""Which pairs of frames, and which pairs of tracks, should be more alike than others.

Frames of one track, at least `APART` seconds from each other:
- `chord`: both lie within one of the 24 major and minor triads (mir_eval's rule); same: equal ones.
- `beat`: their places within the beat differ by at most 0.1 beat; other: by at least 0.25.
- `section`: same: sections of equal label.
Frames that are near each other are alike for that alone, so at every distance in time (in whole
seconds) there are as many other pairs as same ones.

Tracks, never of one group (an artist or a work):
- `key`: same: equal keys, enharmonics counted as one.
- `tags`: same: at least a third of the tags that either has are tags of both; other: none is.
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
"""1 for a pair that is the same, 0 for another one, -1 for one that is left out."""

APART = 1.0  # seconds between two frames, at least
CANDIDATES = 40_000  # pairs of frames that are drawn from a track
PAIRS = 1000  # of each kind that are kept
FEWEST = 50  # of each kind, or the track is left out
SAME_PHASE, OTHER_PHASE = 0.1, 0.25  # of a beat
SHARED = 1 / 3  # of the tags of two tracks

Compare = Callable[[Ints, Ints], Kinds]


def _by_label(labels: Ints) -> Compare:
    """Compare labels; a negative one is none."""

    def compare(first: Ints, second: Ints) -> Kinds:
        a, b = labels[first], labels[second]
        return np.where((a < 0) | (b < 0), -1, a == b).astype(np.int8)

    return compare


def _frame_labels(segments: Segments, numbers: Sequence[int], times: Floats) -> Ints:
    """Each frame's segment's number, -1 outside all of them."""
    place = np.searchsorted(segments.intervals[:, 0], times, side="right") - 1
    inside = (place >= 0) & (times < segments.intervals[np.maximum(place, 0), 1])
    return np.where(inside, np.asarray(numbers, dtype=np.int64)[np.maximum(place, 0)], -1)


def chord(annotations: Annotations, times: Floats) -> Compare | None:
    """Major and minor triads; `N` (no chord) and all others are left out."""
    if annotations.chords is None or not annotations.chords.labels:
        return None
    classes = [chord_class(label) for label in annotations.chords.labels]
    silent = LABELS.index("N")
    numbers = [-1 if number == silent else number for number in classes]
    return _by_label(_frame_labels(annotations.chords, numbers, times))


def section(annotations: Annotations, times: Floats) -> Compare | None:
    """Labels of sections."""
    if annotations.sections is None or not annotations.sections.labels:
        return None
    names = sorted(set(annotations.sections.labels))
    numbers = [names.index(label) for label in annotations.sections.labels]
    return _by_label(_frame_labels(annotations.sections, numbers, times))


def beat(annotations: Annotations, times: Floats) -> Compare | None:
    """Places within the beat, 0 to 1 from one beat to the next; none outside the beats."""
    if annotations.beats is None or len(annotations.beats.times) < 2:
        return None
    beats = annotations.beats.times
    place = np.interp(times, beats, np.arange(len(beats)), left=np.nan, right=np.nan)

    def compare(first: Ints, second: Ints) -> Kinds:
        apart = np.abs(place[first] - place[second]) % 1
        apart = np.minimum(apart, 1 - apart)
        kinds = np.where(apart <= SAME_PHASE, 1, np.where(apart >= OTHER_PHASE, 0, -1))
        return kinds.astype(np.int8)  # NaN is neither

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
        track: with its annotations.
        frames: how many it has; frame i is at i / frame_rate seconds.
        frame_rate: frames a second.
        seed: pairs depend on it, the relation and the track's id alone.

    Returns:
        Same pairs and other pairs, (n, 2) frame indices each, equally many at every distance; None
        where the track lacks the annotation or has fewer than `FEWEST`.
    """
    compare = FRAMES[relation](track.annotations, np.arange(frames) / frame_rate)
    if compare is None:
        return None
    rng = np.random.default_rng(int(digest("pairs", relation, track.id, seed)[:16], 16))
    drawn = rng.integers(0, frames, (CANDIDATES, 2))
    drawn = drawn[drawn[:, 1] - drawn[:, 0] >= np.ceil(APART * frame_rate)]
    # a pair as one number: unique rows would take ten times as long
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
    """(tracks, tracks) of pairs of tracks by key."""
    classes = np.array(
        [-1 if t.annotations.key is None else key_class(t.annotations.key) for t in tracks]
    )
    known = (classes[:, None] >= 0) & (classes >= 0)
    return _apart(np.where(known, classes[:, None] == classes, -1).astype(np.int8), tracks)


def tag_kinds(tracks: Sequence[Track]) -> Kinds:
    """(tracks, tracks) of pairs of tracks by their tags; a relevance above 0.5 is a tag."""
    sets = [
        {tag for tag, relevance in (track.annotations.tags or {}).items() if relevance > 0.5}
        for track in tracks
    ]
    kinds = np.full((len(tracks), len(tracks)), -1, dtype=np.int8)
    for row, mine in enumerate(sets):
        for column, theirs in enumerate(sets):
            if mine and theirs:
                shared = len(mine & theirs)
                if shared >= SHARED * len(mine | theirs):
                    kinds[row, column] = 1
                elif not shared:
                    kinds[row, column] = 0
    return _apart(kinds, tracks)


def _apart(kinds: Kinds, tracks: Sequence[Track]) -> Kinds:
    """Leave out pairs of one group, and a track with itself."""
    groups = np.array([track.group for track in tracks])
    return np.where(groups[:, None] == groups, -1, kinds).astype(np.int8)


TRACKS: Mapping[str, Callable[[Sequence[Track]], Kinds]] = {"key": key_kinds, "tags": tag_kinds}
