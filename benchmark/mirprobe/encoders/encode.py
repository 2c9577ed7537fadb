"""Call an encoder, check its tokens against its declaration, and pool them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from math import isfinite

import torch
from torch import Tensor

from mirprobe.api.encoder import Encoder
from mirprobe.core.errors import EncoderError, described
from mirprobe.core.number_types import Precision
from mirprobe.core.schema import Tokens
from mirprobe.encoders.declaration import CheckedEncoder
from mirprobe.encoders.process_state import kept_process_state
from mirprobe.encoders.windows import check_frame_count

_AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


def to_device(encoder: Encoder, device: str | torch.device) -> None:
    """Move an encoder that is a torch module to a device, in evaluation mode.

    Raises:
        EncoderError: the encoder raises an error.
    """
    module = encoder.plugin if isinstance(encoder, CheckedEncoder) else encoder
    if isinstance(module, torch.nn.Module):
        try:
            with kept_process_state():
                module.eval().to(device)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # as in `plugin_errors`
            raise EncoderError(
                f"raised {described(error)} (when it was moved to {device})"
            ) from error


def encode(encoder: Encoder, windows: Tensor, precision: Precision = "32") -> Tokens:
    """Encode windows and check the shapes of the tokens against the declaration of the encoder.

    Args:
        encoder: on the device of `windows`, see `to_device`.
        windows: (batch, samples). The encoder gets a copy, which it may change.
        precision: `32` without autocast; `bf16` and `fp16` use torch's autocast.

    Returns:
        Tokens of all layers, without gradient, on the device of `windows`. `check_finite` checks
        their values.

    Raises:
        EncoderError: the encoder raises an error, or returns tokens that it does not declare.
        torch.OutOfMemoryError: the windows do not fit into the memory of the device.
    """
    tokens = call_encoder(encoder, windows.clone(), precision)
    batch, samples = windows.shape
    shape = (len(encoder.layers), encoder.dim)
    sequence, class_token = tokens.sequence, tokens.class_token
    if sequence is not None:
        if sequence.ndim != 4 or (len(sequence), *sequence.shape[2:]) != (batch, *shape):
            raise EncoderError(
                f"returned a sequence of shape {tuple(sequence.shape)}; its layers and dim "
                f"call for ({batch}, time, {shape[0]}, {shape[1]})"
            )
        if encoder.frame_rate is not None:
            check_frame_count(sequence.shape[1], samples, encoder)
    if class_token is not None and tuple(class_token.shape) != (batch, *shape):
        raise EncoderError(
            f"returned class tokens of shape {tuple(class_token.shape)}; its layers and "
            f"dim call for {(batch, *shape)}"
        )
    return tokens


def _detached(tokens: object, device: torch.device) -> Tokens:
    """The tokens on a device, without gradient.

    Raises:
        EncoderError: they are no tokens, sparse, or no floating-point numbers.
    """
    if not isinstance(tokens, Tokens):
        raise EncoderError(f"returned a {type(tokens).__name__}; return mirprobe.Tokens")
    found: list[Tensor | None] = []
    for value in (tokens.sequence, tokens.class_token):
        if not isinstance(value, Tensor | None):
            raise EncoderError(f"returned a {type(value).__name__} as tokens, not a tensor")
        if value is not None and value.layout != torch.strided:
            raise EncoderError("returned sparse tokens; return dense ones")
        if value is not None and not value.is_floating_point():
            raise EncoderError(f"returned {value.dtype} as tokens; return floating-point numbers")
        found.append(None if value is None else value.detach().to(device))
    return Tokens(*found)


def call_encoder(encoder: Encoder, windows: Tensor, precision: Precision = "32") -> Tokens:
    """The tokens of windows, whose shapes are not checked; the encoder may change the windows.

    Raises:
        EncoderError: the encoder raises an error, or returns no tokens.
        torch.OutOfMemoryError: as for `encode`.
    """
    try:
        with kept_process_state(), torch.inference_mode(), _autocast(windows.device, precision):
            return _detached(encoder(windows), windows.device)
    except (torch.OutOfMemoryError, EncoderError, KeyboardInterrupt):
        raise
    except BaseException as error:  # as in `plugin_errors`
        raise EncoderError(
            f"raised {described(error)} (windows of shape {tuple(windows.shape)})"
        ) from error


def _autocast(device: torch.device, precision: Precision) -> AbstractContextManager[object]:
    if precision not in _AUTOCAST:
        return nullcontext()
    return torch.autocast(device.type, dtype=_AUTOCAST[precision])


def check_finite(
    tokens: Tokens, limit: torch.dtype, precision: Precision = "32", layers: Sequence[str] = ()
) -> Tokens:
    """Return the tokens if all values are finite and within the number type `limit`.

    Args:
        tokens: of the windows.
        limit: the number type in which they will be stored.
        precision: in which they were computed.
        layers: names of the layers of the tokens, for messages; empty for their numbers from 1.

    Raises:
        EncoderError: some values are not; the message says which.
    """
    for what, values in tokens.given().items():
        if not values.numel():
            raise EncoderError(f"returned an empty {what} of shape {tuple(values.shape)}")
        low, high = torch.aminmax(values)  # one pass; keeps NaN and infinity
        largest = max(-float(low), float(high))
        if not isfinite(largest):
            wrong = ~values.isfinite()
            layer = int(wrong.movedim(-2, 0).flatten(1).any(1).nonzero()[0])
            remedy = "use --precision bf16 or 32" if precision == "fp16" else "correct the encoder"
            raise EncoderError(
                f"returned NaN or infinite values in its {what}: {int(wrong.sum())} of "
                f"{values.numel()}, first in layer '{layers[layer] if layers else layer + 1}'; "
                f"{remedy}"
            )
        if largest > torch.finfo(limit).max:
            name = str(limit).removeprefix("torch.")
            raise EncoderError(
                f"returned {largest:.3g} in its {what}, beyond {name}; use --dtype float32"
            )
    return tokens


def pool(tokens: Tokens, valid: Tensor, sources: Sequence[str]) -> Tensor:
    """Pool the tokens of a batch of windows to clip vectors.

    Args:
        tokens: of the windows.
        valid: (batch, time), 1 for the frames that count.
        sources: the poolings, of `class`, `sequence` and `both`.

    Returns:
        (batch, sources, layers, dim).

    Raises:
        EncoderError: no pooling is declared, or the tokens for one are missing.
    """
    sequence, class_token = tokens.sequence, tokens.class_token
    count = valid.sum(1)[:, None, None]
    pooled = {}
    if sequence is not None:
        total = torch.einsum("bt,btld->bld", valid, sequence.float())
        pooled["sequence"] = total / count
        if class_token is not None:
            pooled["both"] = (total + class_token.float()) / (count + 1)
    if class_token is not None:
        pooled["class"] = class_token.float()
    if not sources:
        raise EncoderError("declares no sources; a clip-level task needs at least one")
    for source in sources:
        if source not in pooled:
            raise EncoderError(
                f"declares the source '{source}' but returns no tokens for it; return them, or "
                "take it from `sources`"
            )
    return torch.stack([pooled[source] for source in sources], dim=1)


def select_layers(tokens: Tokens, indices: Sequence[int]) -> Tokens:
    """The tokens of some layers."""
    sequence, class_token = tokens.sequence, tokens.class_token
    return Tokens(
        None if sequence is None else sequence[:, :, indices],
        None if class_token is None else class_token[:, indices],
    )


def select_row(tokens: Tokens, index: int) -> Tokens:
    """A copy of the tokens of one window, as a batch of one."""
    parts = (tokens.sequence, tokens.class_token)
    return Tokens(*(None if part is None else part[index : index + 1].clone() for part in parts))


def difference(one: Tokens, other: Tokens) -> float:
    """The relative difference of two encodings of the same windows.

    Returns:
        The root mean square of the difference, divided by that of `one`: the larger value of
        sequence and class token. Infinite if shapes differ.
    """
    lefts, rights = one.given(), other.given()
    if {n: v.shape for n, v in lefts.items()} != {n: v.shape for n, v in rights.items()}:
        return float("inf")
    found = 0.0
    for name in lefts:
        left, right = lefts[name].float(), rights[name].float()
        apart, size = (left - right).square().mean().sqrt(), left.square().mean().sqrt()
        found = max(found, float(apart / size) if float(apart) else 0.0)
    return found
