"""Cheap encoders that know something of the audio, for tests of the whole harness."""

from __future__ import annotations

import torch
from torch import Tensor

from mirprobe.core.hashing import digest
from mirprobe.core.schema import Tokens

RATE, HOP, SIZE = 16_000, 800, 1600


class Bands:
    """Two layers, 20 frames a second: `noise` says nothing, `bands` is a coarse log-spectrum."""

    sample_rate = RATE
    window: float | None = None
    frame_rate: float | None = RATE / HOP
    layers: tuple[str, ...] = ("noise", "bands")
    dim = 100
    sources: tuple[str, ...] = ("sequence",)

    def __init__(self) -> None:
        self.fingerprint = digest(type(self).__name__)
        self.calls = 0

    def __call__(self, audio: Tensor) -> Tokens:
        self.calls += 1
        padded = torch.nn.functional.pad(audio, (SIZE // 2, SIZE // 2))
        spectrum = torch.fft.rfft(padded.unfold(1, SIZE, HOP)).abs()[..., 1:]  # (B, T, 800)
        fine, coarse = spectrum[..., :80], spectrum[..., 80:].unflatten(-1, (20, 36)).mean(-1)
        bands = torch.cat([fine, coarse], -1).add(1e-2).log()
        noise = torch.randn(bands.shape, generator=torch.Generator().manual_seed(0))
        return Tokens(sequence=torch.stack([noise, bands], dim=2))


class Summary(Bands):
    """The same without frames: a class token alone."""

    frame_rate: float | None = None
    sources: tuple[str, ...] = ("class",)

    def __call__(self, audio: Tensor) -> Tokens:
        sequence = super().__call__(audio).sequence
        assert sequence is not None
        return Tokens(class_token=sequence.mean(1))


class Failing(Bands):
    """Gives up at its third call."""

    def __call__(self, audio: Tensor) -> Tokens:
        if self.calls == 2:
            raise RuntimeError("out of\nideas")
        return super().__call__(audio)
