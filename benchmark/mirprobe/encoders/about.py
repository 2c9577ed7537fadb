"""What a table says of an encoder beside its scores."""

from __future__ import annotations

from dataclasses import dataclass

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
