"""Validation: is a segment's nearest neighbour, among all held-out music, from its own track?

A query's positives are the segments of its own track that begin at least 30 s away; nearer ones are
left out. Each positive is ranked by cosine similarity among the segments of all other works (other
versions of the same music are left out too). Near positives would tell nothing: with positives
within 16 s and 40 tracks, random weights already find 73 %.
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

APART = 30.0  # seconds between the starts of a query and its positive


@dataclass(frozen=True)
class Retrieval:
    """Means over positives, then over queries.

    Attributes:
        top1: share of positives that are more similar than everything else.
        mrr: mean reciprocal rank.
        queries: segments that have a positive.
        segments: all that were searched.
    """

    top1: float
    mrr: float
    queries: int
    segments: int


@dataclass(frozen=True)
class Segments:
    """What is searched: segments side by side, from the start of each track.

    Attributes:
        starts: (S,) first rows in the bank.
        track: (S,) number of the track, not decreasing.
        work: (S,) number of the work.
        apart: rows between a query and its positive, at least.
    """

    starts: Tensor
    track: Tensor
    work: Tensor
    apart: int

    @classmethod
    def of(
        cls,
        tracks: Sequence[BankTrack],
        *,
        length: int,
        frame_rate: float,
        limit: int = 8192,
    ) -> Segments:
        """Lay segments over tracks.

        Args:
            tracks: held out from training.
            length: frames in a segment.
            frame_rate: frames a second.
            limit: whole tracks are taken, in an order that depends on their names alone, until
                there are so many segments.

        Raises:
            ConfigError: no positive, or nothing to tell it from.
        """
        apart = round(APART * frame_rate)
        shortest = -(-apart // length) * length + length  # holds a segment and its first positive
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
                "retrieval needs 2: hold out more of the bank, or validate every 0 steps, never"
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
        segments: S of them.
        rows: (N, bins) the bank on its device.
        embedder: (n, length, bins) of the bank's type to (n, dim).
        length: frames in a segment.
        batch: segments a call.

    Returns:
        (S, dim) on the bank's device.
    """
    parts = torch.split(segments.starts.to(rows.device), batch)
    return torch.cat([embedder(cut(rows, part, length)) for part in parts])


def retrieve(embeddings: Tensor, segments: Segments) -> Retrieval:
    """Rank every positive of every query.

    A tie counts against the positive, so that embeddings that all agree find nothing.

    Args:
        embeddings: (S, dim), finite.
        segments: whose they are.
    """
    device = embeddings.device
    directions = F.normalize(embeddings.float(), dim=-1)
    starts, works = segments.starts.to(device), segments.work.to(device)
    top1, mrr, queries = 0.0, 0.0, 0
    first = 0
    for size in segments.track.bincount().tolist():  # a track's queries at a time
        own = slice(first, first + size)
        first += size
        similar = directions[own] @ directions.T  # (size, S)
        positives = similar[:, own].contiguous()  # (size, size)
        same = works == works[own][0]
        others = similar[:, ~same].sort(dim=-1).values
        worse = torch.searchsorted(others, positives).cpu()
        better = others.shape[-1] - worse  # as similar, or more
        far = (starts[own, None] - starts[own]).abs().cpu() >= segments.apart
        count = far.sum(-1).double()  # (size,) positives of each query
        asking = count > 0
        top1 += float(((far & (better == 0)).sum(-1) / count)[asking].sum())
        mrr += float(((far / (1 + better).double()).sum(-1) / count)[asking].sum())
        queries += int(asking.sum())
    return Retrieval(top1 / queries, mrr / queries, queries, len(embeddings))
