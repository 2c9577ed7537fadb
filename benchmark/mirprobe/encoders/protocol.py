"""The Encoder protocol: audio in, tokens out; no data sets, files or cache."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from mirprobe.schema import Tokens


class Encoder(Protocol):
    """Turns windows of audio into tokens.

    A plug-in of the entry-point group `mirprobe.encoders` is a class built as
    `factory(**options)`. Construction must be cheap: weights are loaded at the first call, so that
    a run whose embeddings are all cached never loads them.

    Attributes:
        sample_rate: in Hz; the harness resamples to it.
        window: seconds of audio a call takes, or None for any length. The harness cuts, pads and
            stitches.
        frame_rate: tokens a second; None for an encoder without frames.
        layers: a name for each layer of the tokens, in order.
        dim: size of one token.
        sources: what clip-level vectors it offers: `class` (its class token), `sequence` (mean of
            its sequence tokens), `both` (mean of all of them together).
        fingerprint: a hash over weights, configuration and preprocessing: equal fingerprints
            promise equal embeddings. Known without loading the weights.

    One with a window may declare `context` too, which `context_of` reads: seconds of the track that
    a call takes before and after each window, so that nothing at the window's ends has to be made
    up. Its tokens are those of the window: frame i is centred at `context` + i / `frame_rate` of
    what it is given.
    """

    sample_rate: int
    window: float | None
    frame_rate: float | None
    layers: tuple[str, ...]
    dim: int
    sources: tuple[str, ...]
    fingerprint: str

    def __call__(self, audio: Tensor) -> Tokens:
        """Encode mono windows (batch, samples) in [-1, 1] on the device of `audio`."""
        ...


def context_of(encoder: Encoder) -> float:
    """Seconds that a call takes on either side of a window; 0 where the encoder declares none."""
    context: float = getattr(encoder, "context", 0.0)
    return context
