"""Principal components of the embeddings of a training split: the option `--pca` of the probe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from mirprobe.core.errors import ConfigError
from mirprobe.core.hashing import digest
from mirprobe.core.schema import Floating, Frames
from mirprobe.probing.batches import Examples

_REVISION = 1  # part of the fingerprint: increase it when a change here changes the numbers


@dataclass(frozen=True, eq=False)
class Projected:
    """Frames that are projected when they are read.

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
    """The leading principal components of each variant.

    Attributes:
        mean: (variants, dim).
        axes: (variants, dim, kept), orthonormal, by decreasing variance; the largest entry of each
            axis is positive.
    """

    mean: Tensor
    axes: Tensor

    @classmethod
    def fit(cls, frames: Sequence[Frames], kept: int) -> Projection:
        """Fit by an eigendecomposition of the covariance, in two passes over the frames.

        Args:
            frames: of the training split, (time, variants, dim) each.
            kept: number of components.

        Raises:
            ConfigError: the split has not more rows than components.
        """
        examples = Examples(frames, [np.zeros((own.shape[0], 1)) for own in frames])
        if examples.count <= kept:
            raise ConfigError(
                f"pca to {kept} dimensions needs more than the {examples.count} vectors of the "
                "training split; choose fewer"
            )
        mean, _ = examples.mean_and_deviation()
        _, variants, dim = frames[0].shape
        covariance = torch.zeros(variants, dim, dim, dtype=torch.float64)
        for rows, _ in examples.in_order():
            centred = (rows - mean).transpose(0, 1)  # (V, n, D)
            covariance += (centred.transpose(1, 2) @ centred).double()
        axes = torch.linalg.eigh(covariance).eigenvectors[:, :, -kept:].flip(2)
        largest = axes.gather(1, axes.abs().argmax(dim=1, keepdim=True))
        return cls(mean, (axes * largest.sign()).float())

    def of(self, frames: Sequence[Frames]) -> list[Frames]:
        """Frames of several tracks that are projected when they are read."""
        return [Projected(own, self.mean, self.axes) for own in frames]

    def examples(self, examples: Examples) -> Examples:
        """Examples that are projected when they are read."""
        return replace(examples, frames=self.of(examples.frames))


def components_fingerprint(fingerprint: str, components: int) -> str:
    """A hash for the embeddings of an encoder reduced to their principal components."""
    return digest("pca", _REVISION, fingerprint, components)
