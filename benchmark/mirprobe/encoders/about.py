"""What a table says of an encoder beside its scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from mirprobe.encoders.protocol import Encoder
from mirprobe.errors import ConfigError


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
