from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from helpers.in_memory import InMemory

from mirprobe.core.schema import Floating
from mirprobe.probing import batches as module
from mirprobe.probing.batches import Examples, shuffle_targets

LENGTHS = (300, 1, 128, 129, 77)  # around the chunk size, and one track of a single frame


def numbered(lengths: tuple[int, ...] = LENGTHS, dtype: str = "float32") -> Examples:
    """Every example holds its own number, in all of its variants and in its target."""
    frames, targets, first = [], [], 0
    for length in lengths:
        numbers = np.arange(first, first + length)
        rows = np.broadcast_to(numbers[:, None, None], (length, 2, 3))
        frames.append(InMemory(rows.astype(dtype)))
        targets.append(numbers)
        first += length
    return Examples(frames, targets)


def dealt(data: Examples, size: int, seed: int) -> list[list[int]]:
    """The numbers of each batch, after holding x against y."""
    batches = []
    for x, y in data.batches(size, np.random.default_rng(seed)):
        assert x.dtype.is_floating_point
        assert x.element_size() == 4
        assert x.shape[1:] == (2, 3)
        assert (x == y[:, None, None]).all()
        batches.append(y.tolist())
    return batches


@pytest.mark.parametrize("size", [1, 7, 64, 635, 1000])
@pytest.mark.parametrize("buffer", [1, 5000, 96 << 20])
def test_an_epoch_deals_every_example_once(
    size: int, buffer: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BUFFER_BYTES", buffer)
    data = numbered()
    batches = dealt(data, size, seed=0)
    assert data.count == sum(LENGTHS) == 635
    assert sorted(number for batch in batches for number in batch) == list(range(635))
    # all are full but the last
    assert {len(batch) for batch in batches[:-1]} <= {size}
    assert 0 < len(batches[-1]) <= size


@pytest.mark.parametrize("buffer", [1, 5000, 96 << 20])
def test_order_depends_on_the_generator_alone(buffer: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BUFFER_BYTES", buffer)
    assert dealt(numbered(), 16, seed=3) == dealt(numbered(), 16, seed=3)
    assert dealt(numbered(), 16, seed=3) != dealt(numbered(), 16, seed=4)
    rng = np.random.default_rng(3)
    first, second = (next(y for _, y in numbered().batches(635, rng)) for _ in range(2))
    assert (first != second).any()


def test_an_epoch_is_shuffled_across_tracks() -> None:
    (order,) = dealt(numbered(), 635, seed=0)
    # of a random order about half of all steps go up; of a file read in order all do
    rising = np.mean(np.diff(order) > 0)
    assert 0.4 < rising < 0.6


def test_a_small_buffer_is_filled_from_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BUFFER_BYTES", 1)
    batches = dealt(numbered((16,) * 60), 16, seed=0)
    rising = np.mean(np.diff([np.mean(batch) for batch in batches]) > 0)
    assert 0.3 < rising < 0.7


@dataclass
class Counted:
    """Frames that record what is read of them and refuse to be read whole."""

    rows: int
    reads: list[int] = field(default_factory=list)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.rows, 1, 4

    def read(self, start: int = 0, stop: int | None = None) -> Floating:
        assert stop is not None
        self.reads.append(stop - start)
        return np.zeros((stop - start, 1, 4), np.float16)


def test_memory_does_not_grow_with_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    capacity, size = 1024, 32
    monkeypatch.setattr(module, "BUFFER_BYTES", capacity * 4 * 4)
    ahead = []
    for tracks in (10, 80):
        frames = [Counted(1000) for _ in range(tracks)]
        data = Examples(frames, [np.zeros(1000, np.int64)] * tracks)
        delivered, most = 0, 0
        for x, _ in data.batches(size, np.random.default_rng(0)):
            most = max(most, sum(sum(own.reads) for own in frames) - delivered)
            delivered += len(x)
        assert delivered == data.count
        assert max(max(own.reads) for own in frames) <= module.CHUNK
        ahead.append(most)
    assert max(ahead) <= capacity + module.CHUNK + size
    assert ahead[1] <= ahead[0]


def test_in_order_reads_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READ", 50)
    data = numbered()
    parts = [y for _, y in data.in_order()]
    assert np.concatenate(parts).tolist() == list(range(635))
    assert max(map(len, parts)) == 50
    frames = Counted(120)
    for _ in Examples([frames], [np.zeros(120, np.int64)]).in_order():
        pass
    assert frames.reads == [50, 50, 20]


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_mean_and_deviation_are_numpys(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READ", 16)
    rng = np.random.default_rng(0)
    arrays = [(rng.normal(100, 3, (n, 2, 5))).astype(dtype) for n in (40, 1, 33)]
    targets = [np.zeros(len(array), np.int64) for array in arrays]
    mean, deviation = Examples([InMemory(array) for array in arrays], targets).mean_and_deviation()
    joined = np.concatenate(arrays).astype(np.float64)
    np.testing.assert_allclose(mean, joined.mean(0), rtol=1e-6)
    np.testing.assert_allclose(deviation, joined.std(0), rtol=1e-5)


def test_shuffled_targets_are_those_of_all_tracks_in_another_order() -> None:
    lengths = (5, 9, 2, 7)
    targets = [np.arange(length) + 10 * track for track, length in enumerate(lengths)]
    found = shuffle_targets(targets, np.random.default_rng(0))
    assert [own.shape for own in found] == [(length,) for length in lengths]
    truth, shuffled = np.concatenate(targets), np.concatenate(found)
    assert sorted(shuffled) == sorted(truth)
    assert (shuffled // 10 != truth // 10).any()


def test_shuffled_relevances_keep_their_statistics() -> None:
    rng = np.random.default_rng(0)
    targets = [rng.integers(0, 2, (6, 3)).astype(np.float32) for _ in range(20)]
    found = shuffle_targets(targets, np.random.default_rng(1))
    assert found[0].shape == (6, 3)
    truth, shuffled = np.concatenate(targets), np.concatenate(found)
    assert truth.sum(0).tolist() == shuffled.sum(0).tolist()
    assert (truth != shuffled).any()


def test_one_variant_of_the_examples() -> None:
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=(n, 3, 2)).astype(np.float32) for n in (4, 1)]
    one = Examples([InMemory(own) for own in arrays], [np.zeros(4), np.zeros(1)]).only(1)
    assert [own.shape for own in one.frames] == [(4, 1, 2), (1, 1, 2)]
    read = np.concatenate([x for x, _ in one.in_order()])
    np.testing.assert_array_equal(read, np.concatenate(arrays)[:, 1:2])
