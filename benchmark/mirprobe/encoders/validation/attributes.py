"""Checks of attributes, construction time and fingerprint of an encoder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import isfinite

import torch
from torch import Tensor, nn

from mirprobe.api.encoder import Encoder
from mirprobe.core.check import Check
from mirprobe.encoders.encode import encode, to_device

CONSTRUCTION = 5.0  # maximum seconds to build an encoder
_SOURCES = ("class", "sequence", "both")


def declared(encoder: Encoder) -> Check:
    """Every attribute exists and has a valid value."""
    wanted: dict[str, Callable[[object], bool]] = {
        "sample_rate": lambda value: type(value) is int and value > 0,
        "window": lambda value: value is None or _positive(value),
        "context": lambda value: value == 0 or (encoder.window is not None and _positive(value)),
        "frame_rate": lambda value: value is None or _positive(value),
        "layers": lambda value: _names(value),
        "dim": lambda value: type(value) is int and value > 0,
        "sources": lambda value: _names(value) and set(value) <= set(_SOURCES),  # type: ignore[call-overload]
        "fingerprint": lambda value: isinstance(value, str) and bool(value),
    }
    takes = {
        "sample_rate": "a whole number of Hz",
        "window": "a number of seconds or None",
        "context": "a number of seconds, and 0 without a window",
        "frame_rate": "a number of frames a second or None",
        "layers": "a tuple of different names",
        "dim": "a whole number",
        "sources": f"a tuple of {', '.join(_SOURCES)}",
        "fingerprint": "a string",
    }
    missing = [name for name in wanted if name != "context" and not hasattr(encoder, name)]
    if missing:
        return Check(
            "attributes", False, f"lacks {', '.join(missing)}", "declare them as mirprobe.Encoder"
        )
    for name, right in wanted.items():
        value = getattr(encoder, name, 0)
        if not right(value):
            found = f"{name} is {value!r}"
            return Check("attributes", False, found, f"it must be {takes[name]}")
    layers = "1 layer" if len(encoder.layers) == 1 else f"{len(encoder.layers)} layers"
    window = "any length" if encoder.window is None else f"windows of {encoder.window:g} s"
    rate = "no frames" if encoder.frame_rate is None else f"{encoder.frame_rate:g} frames/s"
    found = f"{encoder.sample_rate} Hz, {window}, {rate}, {layers} of {encoder.dim}"
    return Check("attributes", True, found)


def _positive(value: object) -> bool:
    return type(value) in (int, float) and isfinite(value) and value > 0  # type: ignore[arg-type,operator]


def _names(value: object) -> bool:
    return (
        isinstance(value, tuple | list)
        and bool(value)
        and all(isinstance(name, str) and name for name in value)
        and len(set(value)) == len(value)
    )


def construction(seconds: float) -> Check:
    """Construction is fast, so that a run on cached embeddings does not wait for weights."""
    remedy = "load the weights at the first call, not in the constructor"
    found = f"{seconds:.2f} s, of at most {CONSTRUCTION:g} s"
    return Check("construction", seconds <= CONSTRUCTION, found, remedy)


def same_fingerprint(one: str, other: str) -> Check:
    """Two equal constructions have the same fingerprint."""
    if one == other:
        return Check(
            "fingerprint", True, f"{one[:16]}, known before the first call, twice the same"
        )
    found = f"{one[:16]} and then {other[:16]} of two equal constructions"
    remedy = "hash only weights, options and revision: no times, random numbers or addresses"
    return Check("fingerprint", False, found, remedy)


def kept_fingerprint(before: str, after: str) -> Check:
    """Calls do not change the fingerprint."""
    found = "the same after all calls" if before == after else f"{before[:16]} became {after[:16]}"
    return Check(
        "fingerprint kept", before == after, found, "a call must not change what it is made of"
    )


def weights(encoder: Encoder, clip: Tensor) -> Check:
    """The fingerprint changes with a weight, if torch weights can be found.

    Args:
        encoder: an instance for this check only; its weights are changed.
        clip: (1, samples) for the first call, which may load the weights.

    Raises:
        EncoderError: the call fails.
    """
    to_device(encoder, clip.device)
    encode(encoder, clip)
    module = next(
        (found for found in _modules(encoder) if any(True for _ in found.parameters())), None
    )
    if module is None:
        return Check("weights", None, "could not be checked: no torch weights can be reached")
    before = encoder.fingerprint
    weight = next(module.parameters())
    with (
        torch.inference_mode()
    ):  # weights that were made in inference mode can only be changed in it
        kept = weight.clone()
        weight.add_(1)
        after = encoder.fingerprint
        weight.copy_(kept)
    if before != after:
        return Check("weights", True, "the fingerprint changes with a weight")
    return Check(
        "weights",
        None,
        "could not be checked: the fingerprint is fixed at construction, as a file's hash would be",
    )


def _modules(encoder: Encoder) -> Iterator[nn.Module]:
    """The encoder, if it is a torch module, and the torch modules among its attributes."""
    if isinstance(encoder, nn.Module):
        yield encoder
    for value in getattr(encoder, "__dict__", {}).values():
        values = value.values() if isinstance(value, dict) else value
        for item in values if isinstance(value, list | tuple | dict) else [value]:
            if isinstance(item, nn.Module):
                yield item
