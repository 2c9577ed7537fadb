"""Checks of attributes, construction time and fingerprint of an encoder."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from mirprobe.core.check import Check
from mirprobe.encoders.declaration import CheckedEncoder
from mirprobe.encoders.encode import encode, to_device

CONSTRUCTION = 5.0  # maximum seconds to build an encoder


def declared(encoder: CheckedEncoder) -> Check:
    """The attributes, which have been checked."""
    layers = "1 layer" if len(encoder.layers) == 1 else f"{len(encoder.layers)} layers"
    window = "any length" if encoder.window is None else f"windows of {encoder.window:g} s"
    rate = "no frames" if encoder.frame_rate is None else f"{encoder.frame_rate:g} frames/s"
    found = f"{encoder.sample_rate} Hz, {window}, {rate}, {layers} of {encoder.dim}"
    return Check("attributes", True, found)


def construction(seconds: float) -> Check:
    """Construction is fast, so that a run on cached embeddings does not wait for weights."""
    remedy = "load the weights at the first call, not in the constructor"
    found = f"{seconds:.2f} s, of at most {CONSTRUCTION:g} s"
    return Check("construction", seconds <= CONSTRUCTION, found, remedy)


def same_fingerprint(one: str, other: str) -> Check:
    """Two equal constructions have the same fingerprint."""
    if one == other:
        found = f"{one[:16]}, known before the first call, twice the same"
        return Check("fingerprint", True, found)
    found = f"{one[:16]} and then {other[:16]} of two equal constructions"
    remedy = "hash only weights, options and revision: no times, random numbers or addresses"
    return Check("fingerprint", False, found, remedy)


def kept_fingerprint(before: str, after: str) -> Check:
    """Calls do not change the fingerprint."""
    same, remedy = before == after, "a call must not change what it is made of"
    found = "the same after all calls" if same else f"{before[:16]} became {after[:16]}"
    return Check("fingerprint kept", same, found, remedy)


def weights(encoder: CheckedEncoder, clip: Tensor) -> Check:
    """The fingerprint changes with a weight, if torch weights can be found.

    Args:
        encoder: an instance for this check only; its weights are changed.
        clip: (1, samples) for the first call, which may load the weights.

    Raises:
        EncoderError: the call fails.
    """
    to_device(encoder, clip.device)
    encode(encoder, clip)
    weight = next((w for module in _modules(encoder.plugin) for w in module.parameters()), None)
    if weight is None:
        return Check("weights", None, "could not be checked: no torch weights can be reached")
    before = encoder.own_fingerprint()
    with torch.inference_mode():  # weights that were made in it can only be changed in it
        kept = weight.clone()
        weight.add_(1)
        after = encoder.own_fingerprint()
        weight.copy_(kept)
    if before != after:
        return Check("weights", True, "the fingerprint changes with a weight")
    reason = "the fingerprint is fixed at construction, as a file's hash would be"
    return Check("weights", None, f"could not be checked: {reason}")


def _modules(encoder: object) -> Iterator[nn.Module]:
    """The encoder, if it is a torch module, and the torch modules among its attributes."""
    if isinstance(encoder, nn.Module):
        yield encoder
    for value in getattr(encoder, "__dict__", {}).values():
        values = value.values() if isinstance(value, dict) else value
        for item in values if isinstance(value, list | tuple | dict) else [value]:
            if isinstance(item, nn.Module):
                yield item
