"""An encoder that keeps all that it declares, for `mirprobe validate-encoder`."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mirprobe.core.schema import Tokens

RATE, HOP = 1000, 50


class Levels:
    """Level and logarithm of it under a Hann window, 20 frames a second, at 1 kHz."""

    sample_rate = RATE
    window: float | None = 2.0
    frame_rate: float | None = RATE / HOP
    layers: tuple[str, ...] = ("level", "both")
    dim = 2
    sources: tuple[str, ...] = ("class", "sequence", "both")
    fingerprint = "levels"
    late = 0.0
    size = 200

    def __call__(self, audio: Tensor) -> Tokens:
        shift = round(self.late * HOP)
        half = self.size // 2
        padded = nn.functional.pad(audio, (half + shift, half - shift))
        parts = padded.unfold(1, self.size, HOP) * torch.hann_window(self.size)
        level = parts.square().mean(-1)
        layer = torch.stack([level, (level + 1e-6).log()], -1)
        sequence = torch.stack([layer, layer + layer.mean(1, keepdim=True)], 2)
        return Tokens(sequence, sequence.mean(1))
