"""The YAML file that describes a user's own data, as a frozen dataclass."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from unicodedata import normalize

from mirprobe.api.specs import nearest
from mirprobe.core.errors import ConfigError
from mirprobe.core.schema import Annotations
from mirprobe.core.yaml_text import load_yaml
from mirprobe_tasks.common.checks import finite
from mirprobe_tasks.datasets.folder.faults import Faults
from mirprobe_tasks.datasets.folder.jams import field_of

FIELDS = tuple(known.name for known in fields(Annotations))
"""Names that a field of the user's own cannot have."""

LABELLED = ("tags", "genre", "instrument")
"""Fields of `Annotations` whose vocabularies can be given."""

LOCAL = ("chords", "keys", "sections", "beats", "jams")
"""Annotations in separate files, beside the audio or named in the table."""

COLUMNS = (
    *("audio", "id", "start", "stop", "group", "split"),
    *("key", "tempo", "pitch", "instrument", "genre", "valence", "arousal", "tags"),
    *LOCAL,
)
"""Contents that a column of the table can have."""


@dataclass(frozen=True)
class Description:
    """The content of the YAML file; paths in it are relative to the file.

    Attributes:
        path: of the YAML file.
        name: of the data set, in messages and, in joined or crossed data sets, before the ids of
            tracks. Default: the name of the file without suffix.
        audio: folder of the audio files.
        table: one row per track: `.csv`, `.tsv` or `.parquet`; None if there is no table.
        columns: one of `COLUMNS` -> name of the column in the table; for `tags` also several names,
            one column per tag. Empty: the columns have the names in `COLUMNS`. Every other column
            is a field of your own, under its name.
        beside: one of `LOCAL` -> suffix of the file beside the audio file.
        events: field of your own -> suffix of the file beside the audio file, with lines of a time
            and, if wanted, a label.
        segments: field of your own -> suffix of that file, with lines of start, end and label.
        delimiter: between the fields of a `.csv` file.
        separator: between tags in one column.
        labels: `tags`, `genre`, `instrument` or a field of your own -> the vocabulary. Default:
            the labels that occur in any split.
        shares: of train, valid and test, if the table has no splits.
        jams: field of the annotations -> namespace to read it from in JAMS files, and the number of
            the annotation among those of the namespace, from 1. Needed only if a file has several
            annotations of the field that differ.
        seed: of that division.
        trim: seconds at the start of each track that beat metrics leave out.
    """

    path: Path
    audio: Path
    name: str
    table: Path | None = None
    columns: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    beside: Mapping[str, str] = field(
        default_factory=lambda: {"chords": ".lab", "beats": ".beats", "jams": ".jams"}
    )
    events: Mapping[str, str] = field(default_factory=dict)
    segments: Mapping[str, str] = field(default_factory=dict)
    delimiter: str = ","
    separator: str = ";"
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    shares: tuple[float, float, float] = (8, 1, 1)
    jams: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    seed: int = 0
    trim: float = 0.0


def read_description(path: Path) -> Description:
    """Read the file and check that the files it names exist.

    Raises:
        ConfigError: the file is missing or not YAML, or has faults; the message lists them: unknown
            keys with the nearest known one, values of a wrong type, missing files and folders.
    """
    try:
        values = load_yaml(path.read_text(encoding="utf-8"), typed=False)
    except FileNotFoundError as error:
        raise ConfigError(
            f"{path}: no such file; it must describe your data, at least `audio: FOLDER`"
        ) from error
    except (ValueError, OSError) as error:
        raise ConfigError(f"{path}: cannot be read as YAML ({error}); correct it") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: must hold `key: value` lines, at least `audio: FOLDER`")
    faults = Faults(path)
    read: dict[str, Any] = {"name": path.stem}
    known = [known.name for known in fields(Description) if known.name != "path"]
    for name, value in values.items():
        if name not in known:
            faults.add(f"unknown key '{name}'; {nearest(str(name), known)}")
            continue
        try:
            read[name] = _READERS[name](value)
        except ValueError as error:
            faults.add(f"'{name}' is {value!r}; it takes {error}")
    for name in ("audio", "table"):
        if name in read:
            read[name] = path.parent / read[name]
    if "audio" not in values:
        faults.add("has no 'audio'; name the folder of your audio files")
    elif "audio" in read and not os.path.isdir(read["audio"]):
        faults.add(f"'audio': there is no folder {read['audio']}")
    if "table" in read and not os.path.isfile(read["table"]):
        faults.add(f"'table': there is no file {read['table']}")
    for name in ("columns", "delimiter", "separator"):
        if name in values and "table" not in values:
            faults.add(f"'{name}' needs a 'table'")
    faults.report()
    return Description(path=path, **read)


def _name(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("a name")
    return value


def _table(value: Any) -> str:
    if not isinstance(value, str) or Path(value).suffix not in (".csv", ".tsv", ".parquet"):
        raise ValueError("a file ending in .csv, .tsv or .parquet")
    return value


def _names(value: Any) -> tuple[str, ...]:
    names = value if isinstance(value, list) else []
    if not names or not all(isinstance(name, str) for name in names):
        raise ValueError("a list of different labels")
    names = [normalize("NFC", name) for name in names]
    if len({*names}) < len(names):
        raise ValueError("a list of different labels")
    return tuple(names)


def _mapping(value: Any, known: Sequence[str], example: str) -> dict[str, Any]:
    """A mapping whose keys are among the known names."""
    if not isinstance(value, dict):
        raise ValueError(f"a mapping such as {example}")
    for name in value:
        if name not in known:
            raise ValueError(f"no '{name}'; {nearest(str(name), known)}")
    return value


def _columns(value: Any) -> dict[str, str | tuple[str, ...]]:
    for name, column in _mapping(value, COLUMNS, "{key: Key, split: Set}").items():
        if not isinstance(column, str) and not (name == "tags" and isinstance(column, list)):
            raise ValueError(f"a name of a column for '{name}', for 'tags' also a list of them")
    return {
        name: _names(column) if isinstance(column, list) else normalize("NFC", column)
        for name, column in value.items()
    }


def _beside(value: Any) -> dict[str, str]:
    return _endings(_mapping(value, LOCAL, "{chords: .lab}"))


def _own(value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
        raise ValueError("a mapping such as {claps: .claps}")
    for name in value:
        if name in (*COLUMNS, *FIELDS):
            raise ValueError(f"names of your own; '{name}' has a meaning, see columns and beside")
    return _endings(value)


def _endings(value: dict[str, Any]) -> dict[str, str]:
    for name, ending in value.items():
        if not isinstance(ending, str) or not ending or "/" in ending or "\0" in ending:
            raise ValueError(f"an ending such as .lab for '{name}', of a file beside the audio")
    if len(set(value.values())) < len(value):
        raise ValueError("a different ending for each")
    return dict(value)


def _character(value: Any) -> str:
    if not isinstance(value, str) or len(value) != 1 or value in '"\r\n\0':
        raise ValueError("one character, no quote or line break")
    return value


def _labels(value: Any) -> dict[str, tuple[str, ...]]:
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
        raise ValueError("a mapping such as {genre: [pop, rock]}")
    for name in value:
        if name in (*COLUMNS, *FIELDS) and name not in LABELLED:
            raise ValueError(f"no '{name}'; {nearest(name, LABELLED)}")
    return {normalize("NFC", name): _names(labels) for name, labels in value.items()}


def _shares(value: Any) -> tuple[float, ...]:
    try:
        parts = value.split(":") if isinstance(value, str) else value
        shares = tuple(finite(part) for part in parts)
    except (TypeError, ValueError):
        shares = ()
    if len(shares) != 3 or min(shares) <= 0:
        raise ValueError("three positive numbers such as [8, 1, 1] or 8:1:1")
    return shares


def _jams(value: Any) -> dict[str, tuple[str, int]]:
    if not isinstance(value, dict):
        raise ValueError("a mapping such as {sections: segment_salami_upper}")
    chosen = {}
    for name, text in value.items():
        namespace, _, number = str(text).partition("#")
        if field_of(namespace) != name or not (number or "1").isdecimal() or not int(number or 1):
            raise ValueError(
                f"a namespace of '{name}', or NAMESPACE#2 for its second annotation, for '{name}'"
            )
        chosen[name] = (namespace, int(number or 1))
    return chosen


def _seed(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        raise ValueError("a whole number") from None


def _seconds(value: Any) -> float:
    try:
        seconds = finite(value)
    except (TypeError, ValueError):
        seconds = -1.0
    if seconds < 0:
        raise ValueError("seconds")
    return seconds


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "name": _name,
    "audio": _name,
    "table": _table,
    "columns": _columns,
    "beside": _beside,
    "events": _own,
    "segments": _own,
    "delimiter": _character,
    "separator": _character,
    "labels": _labels,
    "shares": _shares,
    "jams": _jams,
    "seed": _seed,
    "trim": _seconds,
}
