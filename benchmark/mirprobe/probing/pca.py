"""Principal components of a training split, as `pca(ENCODER,DIM)` probes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mirprobe.core.errors import ConfigError
from mirprobe.core.schema import Floating, Frames
from mirprobe.probing.batches import Examples


@dataclass(frozen=True, eq=False)
class Projected:
    """Frames seen along the axes of a projection.

    Attributes:
        frames: (time, variants, dim).
        mean: (variants, dim).
        axes: (variants, dim, kept).
    """

    frames: Frames
    mean: Tensor
    axes: Tensor

    @property
    def shape(self) -> tuple[int, ...]:
        """(time, variants, kept)."""
        return (*self.frames.shape[:2], self.axes.shape[2])

    def read(self, start: int = 0, stop: int | None = None) -> Floating:
        """Rows `start` to `stop`, projected."""
        rows = torch.from_numpy(np.ascontiguousarray(self.frames.read(start, stop), np.float32))
        projected: Floating = torch.einsum("nvd,vdk->nvk", rows - self.mean, self.axes).numpy()
        return projected


@dataclass(frozen=True, eq=False)
class Projection:
    """The directions in which a training split varies most, of each variant on its own.

    Attributes:
        mean: (variants, dim).
        axes: (variants, dim, kept), orthonormal, in the order of falling variance; the largest
            entry of each is positive.
    """

    mean: Tensor
    axes: Tensor

    @classmethod
    def fit(cls, frames: Sequence[Frames], kept: int) -> Projection:
        """Principal components analysis by the covariance, in two passes that hold one block each.

        Args:
            frames: those of the training split, (time, variants, dim) each.
            kept: how many components.

        Raises:
            ConfigError: the split has too few rows to tell so many components.
        """
        examples = Examples(frames, [np.zeros((own.shape[0], 1)) for own in frames])
        if examples.count <= kept:
            raise ConfigError(
                f"pca to {kept} dimensions needs more than the {examples.count} vectors of the "
                "training split; ask for fewer"
            )
        mean, _ = examples.moments()
        _, variants, dim = frames[0].shape
        covariance = torch.zeros(variants, dim, dim, dtype=torch.float64)
        for rows, _ in examples.in_order():
            centred = (rows - mean).transpose(0, 1)  # (V, n, D)
            covariance += (centred.transpose(1, 2) @ centred).double()
        axes = torch.linalg.eigh(covariance).eigenvectors[:, :, -kept:].flip(2)
        largest = axes.gather(1, axes.abs().argmax(dim=1, keepdim=True))
        return cls(mean, (axes * largest.sign()).float())

    def of(self, frames: Sequence[Frames]) -> list[Frames]:
        """The same tracks, projected when they are read."""
        return [Projected(own, self.mean, self.axes) for own in frames]
