"""NT-Xent, the normalised temperature-scaled cross-entropy of SimCLR (Chen et al. 2020, eq. 1)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def nt_xent(
    first: Tensor,
    second: Tensor,
    *,
    temperature: float = 0.1,
    candidates: tuple[Tensor, Tensor] | None = None,
    offset: int = 0,
) -> Tensor:
    """NT-Xent loss of pairs of views, with all other items of the batch as negatives.

    The loss is symmetric: each of the 2n embeddings is an anchor; its positive is the other view of
    the item, and its negatives are the 2(N - 1) embeddings of other items. With one process, N = n.
    With several processes, each passes the gathered embeddings of all (with gradients) as
    `candidates`; the mean of the losses over processes is the loss of the whole batch.

    Args:
        first: (n, dim), one view of each item; vectors need not be normalised.
        second: (n, dim), the other view, in the same order.
        temperature: divides the cosine similarities.
        candidates: both views of all N items, (N, dim) each, with those of this process; None if
            `first` and `second` are the whole batch.
        offset: index of the first item of this process among the candidates.

    Returns:
        The mean loss over the 2n anchors, a scalar in float32 or higher precision, also under
        autocast. If all embeddings are identical, it is log(2N - 1).

    Raises:
        ValueError: the views differ in shape, or are not within the candidates.
    """
    firsts, seconds = candidates or (first, second)
    local, total = len(first), len(firsts)
    if first.shape != second.shape or firsts.shape != seconds.shape:
        raise ValueError(f"views of different shapes: {first.shape} and {second.shape}")
    if not 0 <= offset <= total - local:
        raise ValueError(f"{local} items at offset {offset} of {total} candidates")

    own = torch.arange(offset, offset + local, device=first.device)
    itself = torch.cat((own, own + total))  # (2n,) columns of the anchors
    positive = torch.cat((own + total, own))  # (2n,) columns of their other views
    with torch.autocast(first.device.type, enabled=False):
        anchors = _directions(first, second)  # (2n, D)
        keys = anchors if candidates is None else _directions(firsts, seconds)  # (2N, D)
        logits = anchors @ keys.T / temperature  # (2n, 2N)
        logits = logits.scatter(1, itself[:, None], -torch.inf)
        return F.cross_entropy(logits, positive)


def _directions(first: Tensor, second: Tensor) -> Tensor:
    both = torch.cat((first, second))
    return F.normalize(both.to(torch.promote_types(both.dtype, torch.float32)), dim=-1)
