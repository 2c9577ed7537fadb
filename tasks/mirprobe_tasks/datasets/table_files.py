"""Base and readers of data sets that are tables and audio files in one folder."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from mirprobe.api.dataset import DatasetInfo
from mirprobe.core.errors import ConfigError, MissingDataError
from mirprobe.core.schema import Track

Row = tuple[int, list[str]]
"""The line on which a row ends, counted from 1, and its fields."""


class TableDataset:
    """A data set whose files the user puts into one folder.

    Attributes:
        name: the registered name.
        sheet: as `Dataset.sheet`.
        tags: as `Dataset.tags`.
        trim: as `Dataset.trim`.
    """

    name: str
    sheet: DatasetInfo
    tags: tuple[str, ...] = ()
    trim: float = 0.0

    def __init__(self, root: Path) -> None:
        """Set the folder; nothing is read yet.

        Args:
            root: folder of the files, as `sheet.obtain` describes it.
        """
        self._root = Path(root)

    def require(self, path: Path) -> Path:
        """The path, which must exist.

        Raises:
            ConfigError: it does not; the message says how to get the data set.
        """
        if not path.exists():
            raise MissingDataError(f"data set '{self.name}': {path} is missing; {self._remedy}")
        return path

    def prepare(self, tracks: Sequence[Track]) -> Iterator[str]:
        """Check that there is audio. The harness reports single missing files track by track.

        Yields:
            The id of each track.

        Raises:
            ConfigError: the folder is missing, or no track has audio.
        """
        self.require(self._root)
        if tracks and not any(track.audio.is_file() for track in tracks):
            raise MissingDataError(
                f"data set '{self.name}': all of its audio files are missing, such as "
                f"{tracks[0].audio}; {self._remedy}"
            )
        yield from (track.id for track in tracks)

    @property
    def _remedy(self) -> str:
        return f"{self.sheet.obtain} (source: {self.sheet.source})"


def read_rows(
    path: Path, delimiter: str, header: Sequence[str], *, keep_header: bool = False
) -> Iterator[Row]:
    """The rows of a text table, without empty lines.

    Args:
        path: of a file in UTF-8, with or without a byte order mark; fields may be quoted with `"`.
        delimiter: between fields.
        header: the first fields of the first row.
        keep_header: yield the first row too.

    Raises:
        ConfigError: the file cannot be read, its header differs, or a row has fewer fields than
            `header`.
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
    """The error for a row that differs from the published file."""
    return ConfigError(f"{path} line {line}: {what}; replace the file by the original")
