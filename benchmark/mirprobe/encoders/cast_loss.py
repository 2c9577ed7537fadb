"""What the cast to float16 loses of embeddings: of 1e-9 all, of 2000 plus 0.1 nearly all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mirprobe.api.encoder import Encoder
from mirprobe.encoders.declaration import CheckedEncoder

LOST = 0.05
"""Share of a dimension's variance that the cast may lose."""

_ROWS = 256  # of a batch that are measured: more would cost memory and tell no more
_NOISE = 4 * torch.finfo(torch.float32).eps
"""Of a dimension's largest value: a smaller standard deviation is what float32 does by chance."""
_ALIVE = 0.01
"""Of the layer's standard deviation: less is a band without signal, or a dead unit."""
_MANY = 0.25
"""Share of a layer's dimensions that count however little they vary."""


def part_dims(encoder: Encoder) -> tuple[int, ...]:
    """Numbers of dimensions of the encoders that a `concat` has put together."""
    plugin = encoder.plugin if isinstance(encoder, CheckedEncoder) else encoder
    found: tuple[int, ...] = getattr(plugin, "part_dims", (encoder.dim,))
    return found


@dataclass
class _Sums:
    """Of the rows so far, as differences from the first row; all (layers, dim) or more axes."""

    first: Tensor
    largest: Tensor
    count: int = 0
    total: Tensor | float = 0.0
    squares: Tensor | float = 0.0
    lost: Tensor | float = 0.0
    lost_squares: Tensor | float = 0.0


class CastLoss:
    """The variance of each dimension, and that of the error of the cast, over all rows seen.

    A dimension counts if it varies by more than float32 does by chance, and not by far less than
    the others of its part and layer, as a band without signal or a dead unit does.

    Args:
        encoder: of the embeddings.
    """

    def __init__(self, encoder: Encoder) -> None:
        self._parts = part_dims(encoder)
        self._sums: dict[str, _Sums] = {}

    def see(self, kind: str, values: Tensor) -> None:
        """Add vectors.

        Args:
            kind: what they are; vectors of one kind are rows of one matrix.
            values: (..., layers, dim): the leading axes together are rows.
        """
        rows = values.flatten(0, -3)
        rows = rows[:: -(-len(rows) // _ROWS)].double()
        if kind not in self._sums:
            self._sums[kind] = _Sums(rows[0], rows[0].abs())
        sums, centred = self._sums[kind], rows - self._sums[kind].first
        error = rows - rows.half().double()
        sums.count += len(rows)
        sums.largest = torch.maximum(sums.largest, rows.abs().amax(0))
        sums.total = sums.total + centred.sum(0)
        sums.squares = sums.squares + centred.square().sum(0)
        sums.lost = sums.lost + error.sum(0)
        sums.lost_squares = sums.lost_squares + error.square().sum(0)

    def _shares(self, of_all: bool = False) -> list[Tensor]:
        """(layers, dim) of each kind: the share that is lost; 0 where a dimension does not count.

        Args:
            of_all: whether dimensions that vary far less than the others count.
        """
        shares = []
        for sums in self._sums.values():
            variance = sums.squares / sums.count - (sums.total / sums.count) ** 2
            error = sums.lost_squares / sums.count - (sums.lost / sums.count) ** 2
            assert isinstance(variance, Tensor)
            live = variance > (_NOISE * sums.largest).square()
            share = torch.where(live, error / variance, 0.0)
            if of_all:
                shares.append(share)
                continue
            parts = zip(
                *(torch.split(x, list(self._parts), -1) for x in (variance, share, live)),
                strict=True,
            )
            shares.append(torch.cat([_counted(*part) for part in parts], -1))
        return shares

    @property
    def share(self) -> float:
        """The largest share of a dimension's variance that the cast loses."""
        return max((float(share.max()) for share in self._shares()), default=0.0)

    @property
    def faint(self) -> int:
        """Dimensions that lose more than `LOST` and vary too little, by the others, to count."""
        lost = (int((share > LOST).sum()) for share in self._shares(of_all=True))
        return sum(lost) - sum(int((share > LOST).sum()) for share in self._shares())

    def describe(self, layers: Sequence[str]) -> str:
        """How much is lost, and where most."""
        worst = max(self._shares(), key=lambda share: float(share.max()))
        layer, dim = divmod(int(worst.argmax()), worst.shape[1])
        many = int((worst > LOST).sum())
        return (
            f"float16 loses {100 * self.share:.2g} % of the variance of dimension {dim} of layer "
            f"'{layers[layer]}' (at most {100 * LOST:g} %; {many} of {worst.numel()} lose more)"
            + (f"; and of {self.faint} that hardly vary" if self.faint else "")
        )


def _counted(variance: Tensor, share: Tensor, live: Tensor) -> Tensor:
    """(layers, dim) of one part: the shares of the dimensions that count, and 0 elsewhere."""
    typical = variance.mean(-1, keepdim=True)
    many = (share > LOST).sum(-1, keepdim=True) > _MANY * live.sum(-1, keepdim=True)
    return torch.where((variance > _ALIVE**2 * typical) | many, share, 0.0)
