from __future__ import annotations

from itertools import accumulate

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from mirprobe.core.errors import ConfigError
from mirprobe.pretraining.bank import BankTrack
from mirprobe.pretraining.retrieval import Segments, embed, retrieve


def tracks(*frames: int, works: str = "") -> list[BankTrack]:
    starts = accumulate((0, *frames))
    return [
        BankTrack(
            id=f"{i}",
            source="",
            group="",
            start=start,
            frames=count,
            split="held-out",
            work=works[i] if works else f"{i}",
            duration=0,
            key="",
            digest="",
        )
        for i, (start, count) in enumerate(zip(starts, frames, strict=False))
    ]


def lay(*frames: int, works: str = "", limit: int = 4096) -> Segments:
    """Segments of 10 rows at 1 row a second: positives lie 3 segments or more away."""
    return Segments.of(tracks(*frames, works=works), length=10, frame_rate=1.0, limit=limit)


def naive(embeddings: Tensor, segments: Segments) -> tuple[float, float, int]:
    directions = F.normalize(embeddings, dim=-1)
    hits, reciprocals = [], []
    for q in range(len(embeddings)):
        others = [
            float(directions[q] @ directions[other])
            for other in range(len(embeddings))
            if segments.work[other] != segments.work[q]
        ]
        ranks = [
            1 + sum(other >= float(directions[q] @ directions[p]) for other in others)
            for p in range(len(embeddings))
            if segments.track[p] == segments.track[q]
            and abs(int(segments.starts[p]) - int(segments.starts[q])) >= 30
        ]
        if ranks:
            hits.append(sum(rank == 1 for rank in ranks) / len(ranks))
            reciprocals.append(sum(1 / rank for rank in ranks) / len(ranks))
    return sum(hits) / len(hits), sum(reciprocals) / len(hits), len(hits)


def test_segments_lie_side_by_side_in_tracks_that_are_long_enough() -> None:
    segments = lay(45, 39, 40)
    by_track = torch.split(segments.starts, segments.track.bincount().tolist())
    assert sorted(part.tolist() for part in by_track) == [[0, 10, 20, 30], [84, 94, 104, 114]]
    assert segments.apart == 30


def test_against_a_naive_loop() -> None:
    segments = lay(45, 80, 39, 41, 200, 64, works="aabcad")
    for seed in range(3):
        generator = torch.Generator().manual_seed(seed)
        noise = torch.randn(len(segments.starts), 6, generator=generator, dtype=torch.float64)
        # float32 inside: equal to the naive loop while no two similarities nearly tie
        planted = noise + 2 * torch.eye(6, dtype=torch.float64)[segments.track]
        found = retrieve(planted, segments)
        expected = naive(planted.float(), segments)
        assert (found.top1, found.mrr, found.queries) == pytest.approx(expected, abs=1e-9)
        assert 0.1 < found.top1 < found.mrr < 1
        assert found.segments == len(planted)


def test_a_direction_a_track_is_perfect_and_one_for_all_is_worst() -> None:
    segments = lay(100, 100, 100)
    perfect = retrieve(torch.eye(3)[segments.track] * 7, segments)
    assert (perfect.top1, perfect.mrr) == (1, 1)
    assert perfect.queries == 30
    collapsed = retrieve(torch.ones(30, 4), segments)
    assert collapsed.top1 == 0
    assert collapsed.mrr == pytest.approx(1 / 21)  # behind all 20 of the others


def test_noise_is_at_chance() -> None:
    segments = lay(*[150] * 12)
    noise = torch.randn(len(segments.starts), 64, generator=torch.Generator().manual_seed(0))
    found = retrieve(noise, segments)
    others = 11 * 15
    chance = sum(1 / rank for rank in range(1, others + 2)) / (others + 1)
    assert found.top1 == pytest.approx(1 / (others + 1), abs=0.01)
    assert found.mrr == pytest.approx(chance, abs=0.015)


def test_near_segments_and_versions_of_the_same_music_do_not_count() -> None:
    segments = lay(40, 40, 40, works="aab")
    first = F.one_hot(segments.track, 3).float()
    twins = first[:, [0, 2]] + first[:, [1, 1]] * torch.tensor([1.0, 0.0])  # of one work alike
    assert retrieve(twins, segments).top1 == 1
    found = retrieve(twins, segments)
    assert found.queries == 6  # the first and last segment of each; the middle ones have none


def test_whole_tracks_up_to_a_limit_in_an_order_of_their_own() -> None:
    segments = lay(*[100] * 20, limit=25)
    assert segments.track.bincount().tolist() == [10, 10, 10]
    starts = (segments.starts // 100).unique().tolist()  # type: ignore[no-untyped-call]
    assert starts != [0, 1, 2]


def test_embedding_reads_the_segments_rows() -> None:
    segments = lay(45, 80)
    rows = torch.arange(125.0)[:, None].expand(-1, 2)
    found = embed(segments, rows, lambda part: part.mean(1), length=10, batch=5)
    torch.testing.assert_close(found[:, 0], segments.starts + 4.5)


def test_too_little_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"^1 held-out works of 40 s or longer, retrieval needs"):
        lay(45, 39, 20)
    with pytest.raises(ConfigError, match="1 held-out works"):
        lay(45, 80, works="aa")
    with pytest.raises(ConfigError, match="0 held-out works of 48 s"):  # positives begin at 40
        Segments.of(tracks(49, 49), length=10, frame_rate=1.05)
