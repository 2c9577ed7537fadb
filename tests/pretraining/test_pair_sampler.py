from __future__ import annotations

from math import inf
from string import ascii_letters

import pytest
import torch

from mirprobe.core.errors import ConfigError
from mirprobe.pretraining.bank import BankTrack
from mirprobe.pretraining.pair_sampler import PairSampler, cut, seeded


def pieces(*frames: int, groups: str = "", works: str = "") -> list[BankTrack]:
    starts = [sum(frames[:i]) for i in range(len(frames))]
    names = groups or "a" * len(frames)
    return [
        BankTrack("", "", "", group, work, count, 0.0, "", start, "train")
        for start, count, group, work in zip(
            starts, frames, names, works or ascii_letters[: len(frames)], strict=True
        )
    ]


TRACKS = pieces(30, 200, 47, 20, 19, 64, 33, groups="abababa")  # 19 has no room for 2 x 10


def counted(tracks: list[BankTrack], *, gaps: tuple[float, float], steps: int) -> torch.Tensor:
    """How often each start of the only track that matters was first and second: (2, starts)."""
    pairs = PairSampler(tracks, length=10, batch=2, gaps=gaps, seed=3)
    last = tracks[0].frames - 10
    seen = torch.zeros(2, last + 1)
    for step in range(steps):
        draw = pairs.draw(step)
        first, second = (draw.starts[:, draw.tracks == 0]).flatten().tolist()
        seen[0, first] += 1
        seen[1, second] += 1
    return seen


@pytest.mark.parametrize("gaps", [(0, inf), (0, 5), (3, 8), (20, inf), (4, 4)])
def test_a_pair_lies_in_one_track_at_an_allowed_distance(gaps: tuple[float, float]) -> None:
    tracks = pieces(70, 200, 47, 50, 40, 64, 43)
    pairs = PairSampler(tracks, length=10, batch=7, gaps=gaps, seed=1)
    low, high = gaps
    for step in range(200):
        draw = pairs.draw(step)
        assert len(set(draw.tracks.tolist())) == 7
        for index, starts in zip(draw.tracks.tolist(), draw.starts.T.tolist(), strict=True):
            track = pairs.tracks[index]
            assert track.start <= min(starts)
            assert max(starts) + 10 <= track.start + track.frames
            gap = abs(starts[0] - starts[1]) - 10
            assert low <= gap <= high


def test_gaps_are_seconds_and_none_is_longer_than_the_longest_track() -> None:
    pairs = PairSampler(pieces(60, 60), length=10, batch=2, frame_rate=0.5, gaps=(6, 16))
    assert (pairs.nearest, pairs.farthest) == (13, 18)
    whole = PairSampler(pieces(60, 60), length=10, batch=2, gaps=(0, 1e300))
    assert torch.equal(
        whole.draw(3).starts, PairSampler(pieces(60, 60), length=10, batch=2).draw(3).starts
    )
    with pytest.raises(ConfigError, match=r"^0 of 2 works .* with 1e\+300 s between,"):
        PairSampler(pieces(60, 60), length=10, batch=2, gaps=(1e300, inf))


def test_the_extreme_distances_both_occur() -> None:
    pairs = PairSampler(pieces(60, 60), length=10, batch=2, gaps=(3, 8))
    found = {
        int(gap)
        for step in range(200)
        for gap in (pairs.draw(step).starts.diff(dim=0).abs() - 10).flatten()
    }
    assert found == {3, 4, 5, 6, 7, 8}


def test_every_start_is_first_equally_often() -> None:
    seen = counted(pieces(60, 60), gaps=(0, 12), steps=5100)[0]  # 51 starts, 100 each
    assert float(((seen - 100) ** 2 / 100).sum()) < 87  # chi-squared, 50 degrees: p = 0.001


def test_starts_without_a_partner_are_never_drawn_and_the_others_evenly() -> None:
    # starts 0..50 at least 40 apart: only 0..10 and 40..50 have a partner
    seen = counted(pieces(60, 60), gaps=(30, inf), steps=2200)
    assert not seen[:, 11:40].any()
    used = torch.cat((seen[0, :11], seen[0, 40:]))  # 22 starts, 100 each
    assert float(((used - 100) ** 2 / 100).sum()) < 47  # 21 degrees


def test_tracks_are_drawn_evenly_with_and_without_groups() -> None:
    tracks = pieces(*[40] * 12, groups="aaaaaaabbbcc")
    for share in (0.0, 1.0):
        pairs = PairSampler(tracks, length=10, batch=2, same_group=share)
        drawn = torch.cat([pairs.draw(step).tracks for step in range(3000)]).bincount()
        assert drawn.float().div(500).sub(1).abs().max() < 0.2, share


def test_grouped_batches_share_a_group_where_it_is_large_enough() -> None:
    tracks = pieces(*[40] * 12, groups="aaaaaabbbbcc")
    names = [track.group for track in tracks]

    def groups(share: float) -> list[int]:
        pairs = PairSampler(tracks, length=10, batch=4, same_group=share)
        return [len({names[i] for i in pairs.draw(step).tracks}) for step in range(400)]

    assert max(groups(1.0)) == 2  # cc alone is too small, its batches are filled from one other
    assert sum(count == 1 for count in groups(1.0)) > 200
    assert sum(count == 1 for count in groups(0.0)) < 40
    assert sum(count == 1 for count in groups(0.0)) < sum(c == 1 for c in groups(0.5)) < 300


def test_draws_depend_on_seed_and_step_alone() -> None:
    first = PairSampler(TRACKS, length=10, batch=4, seed=5)
    again = PairSampler(TRACKS, length=10, batch=4, seed=5)
    other = PairSampler(TRACKS, length=10, batch=4, seed=6)
    torch.manual_seed(0)
    state = torch.get_rng_state()
    expected = [first.draw(step).starts for step in range(4)]
    for step in (2, 0, 3, 1):  # in any order
        assert torch.equal(again.draw(step).starts, expected[step])
        assert not torch.equal(other.draw(step).starts, expected[step])
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(expected[0], expected[1])


def test_seeds_that_differ_in_high_bits_alone_differ() -> None:
    assert torch.rand(1, generator=seeded("x", 1)) != torch.rand(
        1, generator=seeded("x", 1 + 2**32)
    )


def test_segments_are_cut_on_the_device_of_the_bank() -> None:
    bank = torch.arange(300, dtype=torch.float16).view(100, 3)
    segments = cut(bank, torch.tensor([[0, 90], [5, 7]]), 10)
    assert segments.shape == (2, 2, 10, 3)
    assert segments.dtype == bank.dtype
    assert torch.equal(segments[0, 1], bank[90:])
    assert torch.equal(segments[1, 0], bank[5:15])
    meta = cut(torch.empty(100, 3, device="meta"), torch.zeros(2, 4, device="meta").long(), 10)
    assert meta.shape == (2, 4, 10, 3)
    assert meta.device.type == "meta"  # nothing came back to the CPU


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_tracks_of_one_work_and_two_groups_never_meet_and_all_are_drawn(share: float) -> None:
    tracks = pieces(*[40] * 9, groups="abcabcabc", works="ppppqqrst")
    pairs = PairSampler(tracks, length=10, batch=4, same_group=share)
    drawn = [pairs.draw(step).tracks.tolist() for step in range(500)]
    for batch in drawn:
        works = [pairs.tracks[i].work for i in batch]
        performances = {(pairs.tracks[i].work, pairs.tracks[i].group) for i in batch}
        assert len(set(works)) == len(performances)  # of a work, the takes of one group alone
        assert len(set(batch)) == 4
        assert share or len(set(works)) == 4
    assert {i for batch in drawn for i in batch} == set(range(9))
    with pytest.raises(ConfigError, match="a batch needs 6"):
        PairSampler(tracks, length=10, batch=6)


def test_takes_of_one_group_come_together() -> None:
    tracks = pieces(*[40] * 12, groups="aaaaaaaabbbb", works="ppqqrrssppqq")
    pairs = PairSampler(tracks, length=10, batch=4, same_group=1.0)
    for step in range(200):
        drawn = [pairs.tracks[i] for i in pairs.draw(step).tracks]
        assert {(track.work, track.group) for track in drawn} == {
            (drawn[0].work, drawn[0].group),
            (drawn[2].work, drawn[2].group),
        }


def test_variants_fill_batches_of_a_group_and_leave_the_others_alone() -> None:
    tracks = pieces(*[60] * 12, groups="aaaaaabbbbbb")
    pairs = PairSampler(tracks, length=10, batch=6, same_group=0.5, variants=3)
    warped = 0
    for step in range(100):
        draw = pairs.draw(step)
        if draw.warp is None:
            assert len(set(draw.tracks.tolist())) == 6
            continue
        warped += 1
        first, second = draw.tracks.view(2, 3).tolist()
        assert len(set(first)) == len(set(second)) == 1
        assert first != second
        assert len({pairs.tracks[first[0]].group, pairs.tracks[second[0]].group}) == 1
        assert len(set(draw.starts[0].tolist())) > 2  # variants have segments of their own
        assert {part.shape for part in draw.warp} == {(2, 6)}
    assert 30 < warped < 70
    for variants, batch in ((0, 6), (4, 6), (8, 8)):
        with pytest.raises(ConfigError, match=rf"^variants={variants} in a batch of {batch}: .*"):
            PairSampler(tracks, length=10, batch=batch, variants=variants)


def test_short_tracks_are_left_out_and_too_few_are_an_error() -> None:
    pairs = PairSampler(TRACKS, length=10, batch=6)
    assert [track.frames for track in pairs.tracks] == [30, 200, 47, 20, 64, 33]
    with pytest.raises(ConfigError, match=r"^6 of 7 works to train on .* a batch needs 7"):
        PairSampler(TRACKS, length=10, batch=7)
    with pytest.raises(ConfigError, match=r"^0 of 2 works to train on"):
        PairSampler(pieces(19, 12), length=10, batch=2)
    with pytest.raises(ConfigError, match=r"^1 of 1 "):  # a pair alone has no negatives
        PairSampler(pieces(200), length=10, batch=1)


def test_impossible_options() -> None:
    with pytest.raises(ConfigError, match="gaps of 5 to 4 s"):
        PairSampler(TRACKS, length=10, batch=2, gaps=(5, 4))
    with pytest.raises(ConfigError, match=r"same_group=1\.5"):
        PairSampler(TRACKS, length=10, batch=2, same_group=1.5)
