"""Specifications and folders of data sets.

The folder of a generated data set is in the cache, that of any other one in the data home.
"""

from __future__ import annotations

from pathlib import Path

from mirprobe.api.dataset import sheet_of
from mirprobe.api.registry import DATASETS
from mirprobe.api.specs import is_file_spec, spec_name
from mirprobe.core.errors import ConfigError
from mirprobe.core.hashing import digest

DATA_HOME = Path("~/mir_datasets")


def dataset_root(spec: str, *, cache_dir: Path, data_home: Path) -> Path:
    """The folder of a data set; it need not exist.

    If its class has no `sheet`, or the sheet has `generated`, the folder is in the cache, where it
    may be deleted at any time.

    Args:
        spec: `name:option=value,...` or `path/to/file.py:Class:option=value,...`.
        cache_dir: folder of the cache.
        data_home: folder of all other data sets; `~` is expanded.

    Raises:
        ConfigError: the name is unknown, or `~` cannot be expanded.
    """
    sheet, name = sheet_of(DATASETS.get(spec)), spec_name(spec)
    if sheet is None or sheet.generated:
        if is_file_spec(spec):  # classes of the same name in two files share no folder
            name += f"-{digest(str(Path(spec.partition('.py')[0]).expanduser().resolve()))[:8]}"
        return cache_dir / "datasets" / name
    try:
        return data_home.expanduser() / name
    except RuntimeError as error:
        raise ConfigError(f"data_home '{data_home}': {error}; name a folder in full") from error


def joined_specs(spec: str) -> list[str]:
    """The specifications in `A+B`; a list of one if there is no `+`.

    A `+` in the value of an option, such as a path, is part of the value unless the name of a data
    set or a file follows.
    """
    parts: list[str] = []
    known = DATASETS.names()
    for part in spec.split("+"):
        starts = part.strip().partition(":")[0] in known or is_file_spec(part.strip())
        if parts and ":" in parts[-1] and not starts:
            parts[-1] += f"+{part}"
        else:
            parts.append(part)
    return [part.strip() for part in parts]
