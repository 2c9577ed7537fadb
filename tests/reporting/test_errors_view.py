"""The error views against counts by hand."""

from __future__ import annotations

import numpy as np
import pytest

from mirprobe.core.schema import Annotations, Beats, Segments
from mirprobe.reporting.figures.errors import FIFTHS, LEVELS, view_of


def keys(*pairs: tuple[str, str]) -> list[tuple[Annotations, Annotations]]:
    return [(Annotations(key=one), Annotations(key=other)) for one, other in pairs]


def chords(*labels: str) -> Annotations:
    edges = np.arange(len(labels) + 1, dtype=np.float64)
    return Annotations(chords=Segments(np.stack([edges[:-1], edges[1:]], 1), labels))


def beats(times: np.ndarray) -> Annotations:
    return Annotations(beats=Beats(times))


@pytest.mark.parametrize(
    ("estimate", "mode", "step"),
    [
        ("C major", 0, 0), ("G major", 0, 1), ("F major", 0, -1), ("F# major", 0, 6),
        ("A minor", 1, 0), ("C minor", 1, -3), ("E minor", 1, 1),
    ],
)  # fmt: skip
def test_keys_by_their_place_on_the_circle_of_fifths(estimate: str, mode: int, step: int) -> None:
    found = view_of([keys(("C major", estimate), ("X", "C major"))])
    assert found is not None
    shares = np.array([grid.values[0] for grid in found[1]])
    expected = np.zeros((2, 12))
    expected[mode, FIFTHS.index(step)] = 100
    np.testing.assert_array_equal(shares, expected)
    minor = view_of([keys(("A minor", "E minor"))])
    assert minor is not None
    assert minor[1][0].values[0, FIFTHS.index(1)] == 100


def test_chords_by_root_and_quality() -> None:
    found = view_of(
        [[(chords("C:maj", "C:7", "A:min", "N"), chords("C:maj", "G:maj", "C:maj", "N"))]]
    )
    assert found is not None
    roots, qualities = (grid.values[0] for grid in found[1])
    assert roots[[0, 7, 3]] == pytest.approx([100 / 3] * 3)
    assert roots.sum() == pytest.approx(100)
    assert qualities.reshape(3, 3).tolist() == [[100, 0, 0], [100, 0, 0], [0, 0, 100]]


def test_beats_by_metrical_level_and_phase() -> None:
    true = np.arange(0.0, 10.0, 0.5)
    found = view_of(
        [[(beats(true), beats(own))] for own in (true, true[::2], true[:-1] + 0.25, true[:1])]
    )
    assert found is not None
    levels, phases = (grid.values for grid in found[1])
    names = [*LEVELS, "other"]
    assert [names[row.argmax()] for row in levels] == ["1", "1/2", "1", "other"]
    assert [round(phases[n, 5]) for n in range(3)] == [100, 100, 0]
    assert phases[2, 0] == 100  # the off-beat


def test_tags_by_average_precision() -> None:
    truth = [Annotations(tags=tags) for tags in ({"a": 1.0, "b": 1.0}, {"b": 1.0}, {"b": 1.0})]
    scores = [Annotations(tags={"a": score, "b": 0.5}) for score in (0.5, 0.9, 0.1)]
    found = view_of([list(zip(truth, scores, strict=True))])
    assert found is not None
    [grid] = found[1]
    assert list(grid.columns) == ["a (1)"]  # all tracks have b
    assert grid.values.tolist() == [[50.0]]


def test_other_annotations_have_no_view() -> None:
    assert view_of([[(Annotations(tempo=120.0), Annotations(tempo=60.0))]]) is None
    assert view_of([[]]) is None
    assert view_of([]) is None
