"""Calls of the encoder `hf` in tests."""

from __future__ import annotations

import torch
from torch import Tensor

from mirprobe.core.schema import Tokens
from mirprobe.encoders.hf import HuggingFace


def encode(encoder: HuggingFace, audio: Tensor) -> Tokens:
    with torch.inference_mode():
        return encoder(audio)


def changes(encoder: HuggingFace, time: float, *, before: float = -1.0) -> Tensor:
    """How much the lowest layer of each frame changes by an impulse in 2.4 s of noise, (frames,).

    Args:
        encoder: with frames.
        time: of the impulse, in seconds.
        before: the sample that the impulse of 1 replaces. The impulse upside down leaves what is
            normalised over the window as it was; a spectrogram does not tell the two apart.
    """
    generator = torch.Generator().manual_seed(0)
    audio = 1e-2 * torch.randn(1, round(2.4 * encoder.sample_rate), generator=generator)
    found = []
    for value in (before, 1.0):
        audio[0, round(time * encoder.sample_rate)] = value
        tokens = encode(encoder, audio).sequence
        assert tokens is not None
        found.append(tokens[0, :, 0])
    distance: Tensor = torch.linalg.vector_norm(found[1] - found[0], dim=-1)
    return distance
