"""MusiCNN's network in PyTorch, as the package `musicnn` defines it in TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

BANDS = 96
FRAMES = 753
"""Size of a frame: 408 timbral and 153 temporal features, and 64 for each middle convolution."""
CLIP = 200
_TIMBRAL, _TEMPORAL, _MIDDLE = 204, 51, 64  # filters
_EPSILON = 1e-3  # of TensorFlow's batch normalisation


class MusiCNN(nn.Module):
    """Convolutions of musically motivated shapes, residual convolutions over time, pooling.

    Zero padding keeps the number of frames.

    Source: Pons & Serra, *musicnn: pre-trained convolutional neural networks for music audio
    tagging*, 2019, section 2.
    """

    def __init__(self) -> None:
        super().__init__()
        self.input = nn.BatchNorm2d(1, eps=_EPSILON)
        self.front = nn.ModuleList(
            [_Block(_TIMBRAL, 7, height) for height in (int(0.4 * BANDS), int(0.7 * BANDS))]
            + [_Block(_TEMPORAL, length, 1) for length in (128, 64, 32)]
        )
        width = 2 * _TIMBRAL + 3 * _TEMPORAL
        self.middle = nn.ModuleList(
            [_Block(_MIDDLE, 7, size) for size in (width, _MIDDLE, _MIDDLE)]
        )
        self.pooled = nn.BatchNorm1d(2 * FRAMES, eps=_EPSILON)
        self.dense = nn.Linear(2 * FRAMES, CLIP)
        self.penultimate = nn.BatchNorm1d(CLIP, eps=_EPSILON)

    def frames(self, logmel: Tensor) -> Tensor:
        """(B, T, 96) to (B, T, 753): front end and the three middle convolutions."""
        x = self.input(logmel[:, None])  # (B, 1, T, 96)
        front = torch.cat([block(x) for block in self.front], dim=1)  # (B, 561, T)
        first, second, third = (block for block in self.middle)
        one = first(_as_image(front))
        two = second(_as_image(one)) + one
        three = third(_as_image(two)) + two
        return torch.cat([front, one, two, three], dim=1).transpose(1, 2)

    def clip(self, frames: Tensor) -> Tensor:
        """(B, T, 753) to (B, 200): the layer before the tags."""
        pooled = torch.stack([frames.amax(1), frames.mean(1)], dim=2).flatten(1)
        clip: Tensor = self.penultimate(F.relu(self.dense(self.pooled(pooled))))
        return clip


class _Block(nn.Module):
    """Convolution, ReLU, batch normalisation, and maximum over the remaining bands."""

    def __init__(self, filters: int, length: int, height: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(1, filters, (length, height))
        self.norm = nn.BatchNorm2d(filters, eps=_EPSILON)
        # for an even length, TensorFlow pads one more zero after than before
        self.padding = (0, 0, (length - 1) // 2, length // 2)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 1, T, bands) to (B, filters, T)."""
        x = self.norm(F.relu(self.convolution(F.pad(x, self.padding))))
        return x.amax(3)


def _as_image(x: Tensor) -> Tensor:
    """(B, C, T) to (B, 1, T, C)."""
    return x.transpose(1, 2)[:, None]


def from_variables(variables: Mapping[str, NDArray[np.float32]]) -> MusiCNN:
    """The network with the weights of a checkpoint.

    Args:
        variables: by their names in TensorFlow, which numbers layers in order; variables of the
            output layer and of the optimiser are ignored.

    Raises:
        KeyError: a variable is missing.
        RuntimeError: a variable has the wrong shape.
    """
    model = MusiCNN()
    blocks = [block for group in (model.front, model.middle) for block in group.children()]
    state: dict[str, NDArray[np.float32]] = {}
    names = {module: name for name, module in model.named_modules()}
    for number, block in enumerate(blocks):
        layer = _numbered("conv2d", number)
        name = f"{names[block]}.convolution"
        state[f"{name}.weight"] = variables[f"{layer}/kernel"].transpose(3, 2, 0, 1)
        state[f"{name}.bias"] = variables[f"{layer}/bias"]
    state["dense.weight"] = variables["dense/kernel"].T
    state["dense.bias"] = variables["dense/bias"]
    norms = ["input", *(f"{names[block]}.norm" for block in blocks), "pooled", "penultimate"]
    of_norms = {"weight": "gamma", "bias": "beta"}
    of_norms |= {"running_mean": "moving_mean", "running_var": "moving_variance"}
    for number, norm in enumerate(norms):
        layer = _numbered("batch_normalization", number)
        for own, name in of_norms.items():
            state[f"{norm}.{own}"] = variables[f"{layer}/{name}"]
        state[f"{norm}.num_batches_tracked"] = np.zeros((), np.int64)
    model.load_state_dict({name: torch.tensor(value.copy()) for name, value in state.items()})
    return model.eval().requires_grad_(False)


def _numbered(layer: str, number: int) -> str:
    return f"{layer}_{number}" if number else layer
