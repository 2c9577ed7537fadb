"""Encoders whose output is known: each token tells where it lies and what it heard."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import floor

import torch
from torch import Tensor

from mirprobe.core.schema import Tokens


def centred(samples: int, sample_rate: int, frame_rate: float) -> int:
    """Frames centred within a stretch of audio: what a centred encoder returns."""
    return floor(samples / sample_rate * frame_rate + 1e-6) + 1


@dataclass
class Oracle:
    """Frame i of a window is the sample at its centre, scaled by layer and dimension.

    Token value = sample * (layer + 1) + dimension, and the class token holds the window's mean in
    place of the sample. What a test wants to break, it replaces by `fault`, called with the number
    of the call and the right tokens. With a context that much is cut off before anything else.
    """

    sample_rate: int = 1000
    window: float | None = 1.0
    frame_rate: float | None = 25.0
    layers: tuple[str, ...] = ("a", "b", "c")
    dim: int = 2
    sources: tuple[str, ...] = ("class", "sequence", "both")
    fingerprint: str = "oracle"
    context: float = 0.0
    fault: Callable[[int, Tokens], Tokens] = lambda call, tokens: tokens
    calls: list[tuple[int, ...]] = field(default_factory=list)

    def __call__(self, audio: Tensor) -> Tokens:
        self.calls.append(tuple(audio.shape))
        context = round(self.context * self.sample_rate)
        audio = audio[:, context : audio.shape[1] - context]
        # an encoder without frames still has tokens to average
        rate = self.frame_rate or 25.0
        count = centred(audio.shape[1], self.sample_rate, rate)
        places = [min(round(i * self.sample_rate / rate), audio.shape[1] - 1) for i in range(count)]
        tokens = Tokens(self._scaled(audio[:, places]), self._scaled(audio.mean(1)))
        return self.fault(len(self.calls), tokens)

    def _scaled(self, values: Tensor) -> Tensor:
        layers = torch.arange(1.0, len(self.layers) + 1)
        return values[..., None, None] * layers[:, None] + torch.arange(float(self.dim))


def only(tokens: Tokens, *, kept: Sequence[str]) -> Tokens:
    """The tokens without what is not named."""
    return Tokens(**{name: getattr(tokens, name) for name in kept})
