"""The file of a cell: scores, the predictions for all test tracks, and the unusable tracks."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import cached_property
from typing import Any, cast, overload

from mirprobe.core.annotations import from_json, to_json
from mirprobe.core.hashing import digest
from mirprobe.core.schema import Score
from mirprobe.probing.results import Cell, Prediction
from mirprobe.reporting.run_tables import AnyPath, damaged

_LONGEST = 100  # limit of a specification in a file name, in characters
_MARKS = b',"predictions":', b',"problems":{'
"""What comes before two fields in a file; quotes inside of a text are escaped."""


def cell_file(encoder: str, task: str) -> str:
    """The path of a cell's file in the folder of a run."""
    return f"predictions/{_slug(encoder)}__{_slug(task)}.json.gz"


def _slug(spec: str) -> str:
    """A specification as part of a file name."""
    slug = re.sub(r"[^A-Za-z0-9.=-]+", "_", spec)
    if slug != re.sub("[:,]", "_", spec) or len(slug) > _LONGEST:
        # specifications may be long, or differ only in characters that the slug replaces
        slug = f"{slug[:_LONGEST]}-{digest(spec)[:8]}"
    return slug


def cell_bytes(cell: Cell) -> bytes:
    """The content of the file of a cell."""
    predictions = [
        {
            **vars(one),
            "tracks": {track: to_json(own) for track, own in one.tracks.items()},
        }
        for one in cell.predictions
    ]
    content = json.dumps(
        asdict(replace(cell, predictions=[])) | {"predictions": predictions},
        separators=(",", ":"),
    )
    return gzip.compress(content.encode(), mtime=0)


def read_cell(path: AnyPath, *, lazily: bool = False) -> Cell:
    """Read a cell from its file.

    Args:
        path: the file.
        lazily: whether predictions are read when they are first used.

    Raises:
        FileNotFoundError: the file does not exist.
        StorageError: the file is damaged.
    """
    try:
        content = gzip.decompress(path.read_bytes())
        return (lazily and _lazy_cell(content, path)) or parse_cell(content)
    except FileNotFoundError:
        raise
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise damaged(path, error) from error
    except (KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise damaged(path, "not a cell") from error


def parse_cell(content: str | bytes) -> Cell:
    """A cell from the JSON in its file."""
    values: Any = json.loads(content)
    return _cell(values, [_prediction(one) for one in values["predictions"]])


def _cell(values: Any, predictions: list[Prediction]) -> Cell:
    scores = [Score(**row) for row in values["scores"]]
    key, encoder, task = (values[name] for name in ("key", "encoder", "task"))
    return Cell(key, encoder, task, scores, predictions, values["problems"])


def _prediction(values: Any) -> Prediction:
    tracks = {track: from_json(estimate) for track, estimate in values["tracks"].items()}
    return Prediction(**{**values, "tracks": tracks})


def _lazy_cell(content: bytes, path: AnyPath) -> Cell | None:
    """A cell whose predictions are read later; None where their place is not known."""
    start, end = content.find(_MARKS[0]), content.rfind(_MARKS[1])
    if not 0 <= start < end:
        return None
    values = json.loads(content[:start] + content[end:])
    predictions = _Predictions(content[start + len(_MARKS[0]) : end], path)
    return _cell(values, cast("list[Prediction]", predictions))


class _Predictions(Sequence[Prediction]):
    """Predictions that are read from their JSON when they are first used."""

    def __init__(self, content: bytes, path: AnyPath) -> None:
        self._content, self._path = content, path

    @cached_property
    def _read(self) -> list[Prediction]:
        try:
            return [_prediction(one) for one in json.loads(self._content)]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise damaged(self._path, error) from error

    def __len__(self) -> int:
        return len(self._read)

    @overload
    def __getitem__(self, index: int) -> Prediction: ...

    @overload
    def __getitem__(self, index: slice) -> list[Prediction]: ...

    def __getitem__(self, index: int | slice) -> Prediction | list[Prediction]:
        return self._read[index]
