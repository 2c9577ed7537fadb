"""What can go wrong for a user: each error is one line that names the culprit and the remedy."""

from __future__ import annotations


class MirprobeError(Exception):
    """Base of every error that a user can cause or cure; its message is always one line."""

    def __str__(self) -> str:
        # what other libraries raise, and what we quote of it, may run over several lines
        return " ".join(line.strip() for line in super().__str__().splitlines() if line.strip())


class ConfigError(MirprobeError):
    """An unknown name, field or value in a command, a suite file or a plug-in."""


class TrackError(MirprobeError):
    """One track cannot be used: unreadable or silent audio, a missing or malformed annotation.

    A run counts such tracks, reports them under its table and goes on; `--strict` makes
    them fatal.
    """


class EncoderError(MirprobeError):
    """An encoder broke its promise: wrong shape or frame rate, NaN, or an exception of its own."""


class ChangedEncoderError(EncoderError):
    """An encoder gave two embeddings of the same window; none that it made can be trusted."""


class StorageError(MirprobeError):
    """The cache or results folder cannot be written or read."""
