"""Encoders by specification: a registered name or a Python file, with options."""

from __future__ import annotations

from mirprobe.encoder_files import file_encoder, is_file_spec
from mirprobe.encoders.protocol import Encoder
from mirprobe.registry import ENCODERS


def make_encoder(spec: str) -> Encoder:
    """Build an encoder.

    Args:
        spec: `name` or `name:key=value,...` of a registered one, `path/to/file.py:Class` or
            `path/to/file.py:Class:key=value,...` of one in a file.

    Raises:
        ConfigError: there is no such encoder, it fails to import, or it refuses its options.
    """
    return file_encoder(spec) if is_file_spec(spec) else ENCODERS.create(spec)
