"""Errors that a user can cause or fix. Each message is one line with the cause and the remedy."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

FILE_MODULE = "mirprobe_file_"
"""Begins the names of modules that are plug-ins in a file."""


class MirprobeError(Exception):
    """Base of every error that a user can cause or fix; its message is always one line."""

    def __str__(self) -> str:
        # quoted messages of other libraries may have several lines
        return " ".join(line.strip() for line in super().__str__().splitlines() if line.strip())


class ConfigError(MirprobeError):
    """An unknown name, field or value in a command, a suite file or a plug-in."""


class ListedError(ConfigError):
    """Several faults of one file.

    Attributes:
        lines: a title, and a line for each fault.
    """

    def __init__(self, title: str, faults: Sequence[str]) -> None:
        numbered = [f"({number}) {fault}" for number, fault in enumerate(faults, 1)]
        super().__init__(f"{title}: {' '.join(numbered)}")
        self.lines = [title, *faults]


def refuse(faults: Sequence[str], title: str) -> None:
    """Raise an error of all faults; the title is given if there are several.

    Raises:
        ConfigError: there are any.
    """
    if len(faults) > 1:
        raise ListedError(title, faults)
    if faults:
        raise ConfigError(faults[0])


class MissingDataError(ConfigError):
    """The files of a data set are not on this machine, or the package that reads them.

    Other runs of a suite go on.
    """


class PluginError(ConfigError):
    """A plug-in fails to import, raises an error, or declares what it cannot be."""


class TrackError(MirprobeError):
    """One track cannot be used: unreadable or silent audio, a missing or malformed annotation.

    A run leaves such tracks out, reports them under its table and continues. With `--strict` it
    ends.
    """


class EncoderError(MirprobeError):
    """An encoder breaks its contract: wrong shape or frame rate, NaN, or another exception."""


class UntrustedEncoderError(EncoderError):
    """None of the embeddings that a run has cached of an encoder can be used."""


class StorageError(MirprobeError):
    """The cache or results folder cannot be written or read."""


class KilledError(StorageError):
    """A process was killed, perhaps for lack of memory."""


def described(error: BaseException) -> str:
    """Type and text of an error, with the deepest line of a plug-in's file that it came through."""
    lines = [
        f" at {Path(frame.f_code.co_filename).name} line {line}"
        for frame, line in traceback.walk_tb(error.__traceback__)
        if str(frame.f_globals.get("__name__")).startswith(FILE_MODULE)
    ]
    return " ".join(f"{type(error).__name__}: {error}{lines[-1] if lines else ''}".split())


@contextmanager
def plugin_errors(what: str, remedy: str) -> Iterator[None]:
    """Raise any error of a plug-in's code in the block as one that names the plug-in.

    Args:
        what: the plug-in and what it failed to do; begins the message.
        remedy: ends the message.

    Raises:
        PluginError: the error is not a MirprobeError already.
        KeyboardInterrupt: as it is.
    """
    try:
        yield
    except (MirprobeError, KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:  # sys.exit() and a panic of a library in Rust are no Exception
        raise PluginError(f"{what} ({described(error)}); {remedy}") from error
