"""What a loader asks of a data set's folder: a failure is one ConfigError with a remedy."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from mirprobe.api.dataset import DatasetInfo
from mirprobe.core.errors import ConfigError
from mirprobe.core.schema import Track

Row = tuple[int, list[str]]
"""The line on which a row ends, the first being 1, and its fields."""


def existing(path: Path, name: str, sheet: DatasetInfo) -> Path:
    """The path itself.

    Args:
        path: a file or folder that the data set must have.
        name: of the data set.
        sheet: of the data set: says how to get it.

    Raises:
        ConfigError: it is not there.
    """
    if not path.exists():
        raise ConfigError(
            f"data set '{name}': {path} is missing; {sheet.obtain} (source: {sheet.source})"
        )
    return path


def ready(tracks: Sequence[Track], root: Path, name: str, sheet: DatasetInfo) -> Iterator[str]:
    """Look whether there is audio; single missing files are reported track by track later.

    Yields:
        The id of each track.

    Raises:
        ConfigError: the folder is missing, or holds the audio of none of the tracks.
    """
    existing(root, name, sheet)
    if tracks and not any(track.audio.is_file() for track in tracks):
        raise ConfigError(
            f"data set '{name}': none of its audio files is there, such as {tracks[0].audio}; "
            f"{sheet.obtain} (source: {sheet.source})"
        )
    yield from (track.id for track in tracks)


def read_rows(
    path: Path, delimiter: str, header: Sequence[str], *, keep_header: bool = False
) -> Iterator[Row]:
    """The rows of a table in text, without empty lines.

    Args:
        path: UTF-8, with or without a byte order mark; fields may be quoted with `"`.
        delimiter: between fields.
        header: how the first row must begin.
        keep_header: give the first row too.

    Raises:
        ConfigError: the file cannot be read, its header is another, or a row has fewer fields
            than `header`.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=delimiter)
            first = next(reader, [])
            if first[: len(header)] != list(header):
                raise ConfigError(
                    f"{path}: begins with {delimiter.join(first[: len(header)])!r} rather than "
                    f"{delimiter.join(header)!r}; replace it by the original"
                )
            if keep_header:
                yield 1, first
            for fields in reader:
                if fields and len(fields) < len(header):
                    raise bad_row(path, reader.line_num, f"has {len(fields)} fields")
                if fields:
                    yield reader.line_num, fields
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path}: cannot be read ({error}); replace it") from error


def bad_row(path: Path, line: int, what: str) -> ConfigError:
    """The error for a row that cannot be as it was published."""
    return ConfigError(f"{path} line {line}: {what}; replace the file by the original")
