from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mirprobe.core.schema import Annotations, Beats, Floats, Segments, Track
from mirprobe.emergence.similarity_pairs import (
    APART,
    FEWEST,
    PAIRS,
    frame_pairs,
    key_kinds,
    tag_kinds,
)
from mirprobe.emergence.similarity_scores import Similarities, frame_aucs, relations, track_aucs

RATE = 31.25
FRAMES = 600  # 19.2 s


def track(name: str = "a", group: str = "", **fields: object) -> Track:
    return Track(name, Path(f"{name}.wav"), group or name, replace(Annotations(), **fields))  # type: ignore[arg-type]


def chords(*labels: str, seconds: float = 2.0) -> Segments:
    edges = np.arange(len(labels) + 1) * seconds
    return Segments(np.stack([edges[:-1], edges[1:]], 1), labels)


SONG = track(
    chords=chords("C:maj", "F:7/3", "N", "C:maj6", "G:sus4", "F:maj", "A:min", "C:maj", "F:maj"),
    beats=Beats(np.arange(0.2, 19.2, 0.5)),
    sections=chords("verse", "chorus", "verse", seconds=6.0),
)


def classes(times: Floats) -> list[str]:
    """By hand: which chord, without sevenths; others are empty."""
    names = ["C", "F", "", "C", "", "F", "Am", "C", "F", ""]
    return [names[min(int(time / 2), 9)] for time in times]


def test_pairs_of_frames_by_chord() -> None:
    drawn = frame_pairs("chord", SONG, FRAMES, RATE, 0)
    assert drawn is not None
    same, other = drawn
    assert same.shape == other.shape
    assert FEWEST <= len(same) <= PAIRS
    for pairs, wanted in ((same, True), (other, False)):
        names = [classes(pairs[:, side] / RATE) for side in (0, 1)]
        assert all((a == b) is wanted and a and b for a, b in zip(*names, strict=True))
        assert ((pairs[:, 1] - pairs[:, 0]) / RATE >= APART).all()
        assert len(np.unique(pairs, axis=0)) == len(pairs)


def test_pairs_of_frames_by_place_in_the_beat() -> None:
    drawn = frame_pairs("beat", SONG, FRAMES, RATE, 0)
    assert drawn is not None
    for pairs, low, high in ((drawn[0], 0, 0.1), (drawn[1], 0.25, 0.5)):
        place = (pairs / RATE - 0.2) / 0.5
        assert (place >= 0).all()
        assert (place <= 37).all()
        apart = np.abs(place[:, 0] - place[:, 1]) % 1
        apart = np.minimum(apart, 1 - apart)
        assert ((apart >= low - 1e-9) & (apart <= high + 1e-9)).all()


def test_pairs_of_frames_by_section() -> None:
    drawn = frame_pairs("section", SONG, FRAMES, RATE, 0)
    assert drawn is not None
    for pairs, wanted in zip(drawn, (True, False), strict=True):
        verse = (pairs / RATE < 6) | (pairs / RATE >= 12)
        assert ((verse[:, 0] == verse[:, 1]) == wanted).all()


@pytest.mark.parametrize("relation", ["chord", "beat", "section"])
def test_both_kinds_lie_equally_far_apart(relation: str) -> None:
    drawn = frame_pairs(relation, SONG, FRAMES, RATE, 0)
    assert drawn is not None
    same, other = (np.sort((pairs[:, 1] - pairs[:, 0]) / RATE).astype(int) for pairs in drawn)
    np.testing.assert_array_equal(same, other)


def test_pairs_depend_on_seed_and_track_alone() -> None:
    first, again, other = (frame_pairs("chord", SONG, FRAMES, RATE, seed) for seed in (0, 0, 1))
    assert first is not None
    assert again is not None
    assert other is not None
    np.testing.assert_array_equal(first[0], again[0])
    assert not np.array_equal(first[0][:20], other[0][:20])


def test_tracks_that_lack_pairs_have_none() -> None:
    assert frame_pairs("chord", track(), FRAMES, RATE, 0) is None
    assert frame_pairs("beat", track(beats=Beats(np.array([1.0]))), FRAMES, RATE, 0) is None
    assert frame_pairs("chord", track(chords=chords("C:maj")), FRAMES, RATE, 0) is None
    assert frame_pairs("section", SONG, 5, RATE, 0) is None  # shorter than `APART`


def test_pairs_of_tracks_by_key() -> None:
    tracks = [
        track("a", key="C# major"),
        track("b", key="Db major"),
        track("c", key="C# minor"),
        track("d", group="a", key="C# major"),
        track("e"),
    ]
    assert key_kinds(tracks).tolist() == [
        [-1, 1, 0, -1, -1],
        [1, -1, 0, 1, -1],
        [0, 0, -1, 0, -1],
        [-1, 1, 0, -1, -1],
        [-1, -1, -1, -1, -1],
    ]


def test_pairs_of_tracks_by_tags() -> None:
    tags = ("ab", "ac", "ade", "f", "")
    tracks = [track(str(n), tags=dict.fromkeys(own, 1.0)) for n, own in enumerate(tags)]
    tracks.append(track("5", tags={"f": 1.0, "a": 0.3}))  # not relevant enough to be a tag
    assert tag_kinds(tracks).tolist() == [
        [-1, 1, -1, 0, -1, 0],  # a third of three; a quarter of four is too little
        [1, -1, -1, 0, -1, 0],
        [-1, -1, -1, 0, -1, 0],
        [0, 0, 0, -1, -1, 1],
        [-1, -1, -1, -1, -1, -1],
        [0, 0, 0, 1, -1, -1],
    ]


def test_tokens_of_one_chord_are_told_from_those_of_another() -> None:
    directions = {"C": 0, "F": 1, "Am": 2, "": 3}
    tokens = np.zeros((FRAMES, 2, 4))
    tokens[np.arange(FRAMES), 0, [directions[c] for c in classes(np.arange(FRAMES) / RATE)]] = 5.0
    tokens[:, 1] = 1.0  # the second layer's tokens are all alike
    found = relations(SONG, tokens, RATE, 0)
    np.testing.assert_allclose(found["chord"], [1.0, 0.5])
    assert set(found) == {"chord", "beat", "section"}
    assert abs(found["beat"][0] - 0.5) < 0.1


def test_frame_aucs_against_counting() -> None:
    rng = np.random.default_rng(0)
    tokens = rng.normal(size=(12, 2, 3))
    all_pairs = rng.permutation(np.stack(np.triu_indices(12, 1), 1))  # no pair ties with another
    same, other = all_pairs[:7], all_pairs[7:13]

    def cosine(pair: Floats, layer: int) -> float:
        a, b = tokens[int(pair[0]), layer], tokens[int(pair[1]), layer]
        return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))

    naive = [
        np.mean([cosine(s, layer) > cosine(o, layer) for s in same for o in other])
        for layer in (0, 1)
    ]
    np.testing.assert_allclose(frame_aucs(tokens, (same, other)), naive)


def test_track_aucs_of_known_vectors() -> None:
    vectors = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9]])[:, None]
    kinds = key_kinds(
        [track(str(n), key=k) for n, k in enumerate(("C major", "C major", "A minor", "B minor"))]
    )
    found = track_aucs(vectors, kinds)[:, 0]
    assert found[:2].tolist() == [1.0, 1.0]
    assert np.isnan(found[2:]).all()  # nobody shares their keys
    assert track_aucs(np.ones((4, 1, 2)), kinds)[:2].tolist() == [[0.5], [0.5]]


def test_rows_mark_the_layer_that_validation_prefers() -> None:
    similar = Similarities(("1", "2"), ("sequence",))
    clip = np.ones((1, 2, 3))
    for split, values in (("valid", (0.6, 0.8)), ("test", (0.9, 0.7))):
        for name in "ab":
            similar.add(split, track(name), {"chord": np.array(values)}, clip)  # type: ignore[arg-type]
    similar.add("test", track("c"), {}, clip)
    rows = [one.row for one in similar.results("trained", -1)]
    assert [(row["relation"], row["layer"]) for row in rows] == [("chord", "1"), ("chord", "2")]
    assert [row["selected"] for row in rows] == [False, True]
    assert [row["value"] for row in rows] == pytest.approx([0.9, 0.7])
    assert {row["n"] for row in rows} == {2}
