"""Validation by retrieval of segments of the same track among held-out music.

The positives of a query are the segments of its track that start at least 30 s away; closer
segments are left out. Each positive is ranked by cosine similarity among the segments of all other
works (other versions of the same music are also left out). Closer positives would be too easy: with
positives within 16 s and 40 tracks, random weights already retrieve 73 %.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from mirprobe.core.errors import ConfigError
from mirprobe.core.hashing import digest
from mirprobe.pretraining.bank import BankTrack
from mirprobe.pretraining.pair_sampler import cut

APART = 30.0  # minimum seconds between the starts of a query and of its positive


@dataclass(frozen=True)
class Retrieval:
    """Results of retrieval: means over positives, then over queries.

    Attributes:
        top1: share of positives with rank 1.
        mrr: mean reciprocal rank.
        queries: number of segments that have a positive.
        segments: number of all segments.
    """

    top1: float
    mrr: float
    queries: int
    segments: int


@dataclass(frozen=True)
class Segments:
    """Adjacent segments of held-out tracks.

    Attributes:
        starts: (S,), first rows in the bank.
        track: (S,), number of the track, not decreasing.
        work: (S,), number of the work.
        apart: minimum rows between the starts of a query and of its positive.
    """

    starts: Tensor
    track: Tensor
    work: Tensor
    apart: int

    @classmethod
    def of(
        cls, tracks: Sequence[BankTrack], *, length: int, frame_rate: float, limit: int = 8192
    ) -> Segments:
        """Divide tracks into segments.

        Args:
            tracks: held-out tracks.
            length: frames per segment.
            frame_rate: frames per second.
            limit: stop adding tracks at this number of segments. The order of the tracks depends
                only on their ids.

        Raises:
            ConfigError: fewer than two works are long enough.
        """
        apart = round(APART * frame_rate)
        shortest = -(-apart // length) * length + length  # of a segment and its first positive
        starts: list[Tensor] = []
        chosen: list[BankTrack] = []
        for track in sorted(tracks, key=lambda track: digest("retrieval", track.id)):
            if sum(map(len, starts)) >= limit:
                break
            if track.frames >= shortest:
                chosen.append(track)
                starts.append(torch.arange(0, track.frames - length + 1, length) + track.start)
        works = sorted({track.work for track in chosen})
        if len(works) < 2:
            raise ConfigError(
                f"{len(works)} held-out works of {shortest / frame_rate:.0f} s or longer, "
                "retrieval needs 2: hold out more of the bank, or validate every 0 steps (never)"
            )
        sizes = torch.tensor([len(part) for part in starts])
        numbers = torch.tensor([works.index(track.work) for track in chosen])
        owner = torch.arange(len(chosen)).repeat_interleave(sizes)
        return cls(torch.cat(starts), owner, numbers[owner], apart)


def embed(
    segments: Segments,
    rows: Tensor,
    embedder: Callable[[Tensor], Tensor],
    *,
    length: int,
    batch: int = 256,
) -> Tensor:
    """Embed every segment.

    Args:
        segments: S segments.
        rows: (N, bins), frames of the bank on its device.
        embedder: maps (n, length, bins) of the bank's type to (n, dim).
        length: frames per segment.
        batch: segments per call.

    Returns:
        (S, dim) on the bank's device.
    """
    parts = torch.split(segments.starts.to(rows.device), batch)
    return torch.cat([embedder(cut(rows, part, length)) for part in parts])


def retrieve(embeddings: Tensor, segments: Segments) -> Retrieval:
    """Rank every positive of every query.

    A tie counts against the positive; constant embeddings therefore retrieve nothing.

    Args:
        embeddings: (S, dim), finite.
        segments: the segments of the embeddings.
    """
    device = embeddings.device
    directions = F.normalize(embeddings.float(), dim=-1)
    starts, works = segments.starts.to(device), segments.work.to(device)
    top1, mrr, queries = 0.0, 0.0, 0
    first = 0
    for size in segments.track.bincount().tolist():  # the queries of one track
        own = slice(first, first + size)
        first += size
        similar = directions[own] @ directions.T  # (size, S)
        positives = similar[:, own].contiguous()  # (size, size)
        same = works == works[own][0]
        others = similar[:, ~same].sort(dim=-1).values
        worse = torch.searchsorted(others, positives).cpu()
        better = others.shape[-1] - worse  # as similar as the positive, or more
        far = (starts[own, None] - starts[own]).abs().cpu() >= segments.apart
        count = far.sum(-1).double()  # (size,) number of positives
        has_positive = count > 0
        top1 += float(((far & (better == 0)).sum(-1) / count)[has_positive].sum())
        mrr += float(((far / (1 + better).double()).sum(-1) / count)[has_positive].sum())
        queries += int(has_positive.sum())
    return Retrieval(top1 / queries, mrr / queries, queries, len(embeddings))
