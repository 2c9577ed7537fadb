"""The Encoder protocol: audio in, tokens out; no data sets, files or cache."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from mirprobe.core.errors import ConfigError
from mirprobe.core.schema import Tokens


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


@dataclass(frozen=True)
class About:
    """Facts that no score tells; an encoder gives them as its attribute `about`.

    Attributes:
        parameters: numbers that were trained or drawn; 0 for signal processing, None if unknown.
        licence: of the weights, as an SPDX identifier where there is one; empty if unknown.
        supervised: the tasks for which it was trained with labels. There it is a ceiling, not a
            peer: it is shown, and takes no rank.
    """

    parameters: int | None = None
    licence: str = ""
    supervised: tuple[str, ...] = ()


def about(name: str, encoder: Encoder) -> About:
    """What an encoder says of itself; nothing is known of one that says nothing.

    Args:
        name: its specification, for messages.
        encoder: any; its weights are not loaded.

    Raises:
        ConfigError: its attribute `about` is not an `About`.
    """
    found = getattr(encoder, "about", About())
    if not isinstance(found, About):
        raise ConfigError(f"encoder '{name}': its about is a {type(found).__name__}, not an About")
    return found


def joined(parts: Sequence[About]) -> About:
    """Of several together: the sum of their parameters, all licences, all supervised tasks."""
    counts = [part.parameters for part in parts if part.parameters is not None]
    return About(
        sum(counts) if len(counts) == len(parts) else None,
        " AND ".join(dict.fromkeys(part.licence for part in parts if part.licence)),
        tuple(dict.fromkeys(task for part in parts for task in part.supervised)),
    )


def count_parameters(build: Callable[[], torch.nn.Module]) -> int:
    """How many parameters a model has, without memory or time for their values.

    Args:
        build: makes the model; called while torch's default device is `meta`.
    """
    with torch.device("meta"):
        model = build()
    return sum(parameter.numel() for parameter in model.parameters())
