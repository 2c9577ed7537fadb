from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirprobe.core.peak_picking import pick_peaks, refine_peaks
from mirprobe.core.schema import Floats


def naive_peaks(activation: Floats, threshold: float, min_frames: int) -> list[int]:
    """Middle of each maximal plateau that is higher than both sides; then greedily by height."""
    values = [-np.inf, *activation, -np.inf]
    found = []
    for start in range(1, len(values) - 1):
        end = start
        while values[end + 1] == values[start]:
            end += 1
        if values[start - 1] < values[start] > values[end + 1] and values[start] >= threshold:
            found.append((start + end) // 2 - 1)
    kept: list[int] = []
    for peak in sorted(found, key=lambda p: (-activation[p], -p)):
        if all(abs(peak - other) >= min_frames for other in kept):
            kept.append(peak)
    return sorted(kept)


@given(st.lists(st.integers(0, 6), min_size=1, max_size=30), st.integers(0, 6), st.integers(1, 4))
@settings(max_examples=200, deadline=None)
def test_equals_a_naive_loop(levels: list[int], threshold: int, min_frames: int) -> None:
    # equally high peaks have no order between them: a slope makes all heights different
    activation = np.array(levels) + np.arange(len(levels)) * 1e-6
    activation[1:][np.diff(levels) == 0] = activation[:-1][np.diff(levels) == 0]
    found = pick_peaks(activation, float(threshold), min_frames)
    assert found.tolist() == naive_peaks(activation, threshold, min_frames)


def test_edges_plateaus_and_nothing() -> None:
    assert pick_peaks(np.array([3.0, 1, 0, 2, 2, 2, 0, 4]), 1.0, 1).tolist() == [0, 4, 7]
    assert pick_peaks(np.array([0.1, 0.4, 0.1]), 0.5, 1).tolist() == []
    assert pick_peaks(np.empty(0), 0.5, 1).tolist() == []
    assert pick_peaks(np.array([0.7]), 0.5, 3).tolist() == [0]


def test_the_higher_of_two_close_peaks_stays() -> None:
    activation = np.array([0, 0.6, 0, 0.9, 0, 0, 0, 0.7, 0])
    assert pick_peaks(activation, 0.5, 3).tolist() == [3, 7]


@given(st.floats(3, 6), st.floats(0.5, 2))
@settings(max_examples=50, deadline=None)
def test_refinement_finds_the_vertex_of_a_parabola(vertex: float, bend: float) -> None:
    activation = 5 - bend * (np.arange(10, dtype=np.float64) - vertex) ** 2
    peaks = np.array([activation.argmax()])
    assert refine_peaks(activation, peaks)[0] == pytest.approx(vertex, abs=1e-6)


def test_refinement_leaves_edges_and_flat_tops() -> None:
    activation = np.array([3.0, 1, 1, 1, 0, 2, 2, 0, 4])
    peaks = np.array([0, 2, 8])
    assert refine_peaks(activation, peaks).tolist() == [0, 2, 8]
    assert refine_peaks(activation, np.array([5])).tolist() == [5.5]
    assert refine_peaks(activation, np.empty(0, dtype=np.int64)).tolist() == []
