"""Where the trained weights lie that come with the package."""

from __future__ import annotations

from pathlib import Path

from mirprobe.errors import ConfigError

SHIPPED = Path(__file__).parent / "weights" / "vit1d.safetensors"


def weights_path(checkpoint: Path | None) -> Path:
    """The weights to use: those named, or those that ship.

    Raises:
        ConfigError: none are named and none ship.
    """
    if checkpoint is not None:
        return checkpoint
    if not SHIPPED.is_file():
        raise ConfigError(
            "this copy of mirprobe ships no trained weights; name a file with --checkpoint, or as "
            "the encoder vit1d:checkpoint=FILE"
        )
    return SHIPPED
