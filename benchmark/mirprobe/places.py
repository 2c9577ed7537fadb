"""Where a data set's files lie: generated ones in the cache, all others in the data home."""

from __future__ import annotations

from pathlib import Path

from mirprobe.errors import ConfigError
from mirprobe.registry import DATASETS, parse_spec

DATA_HOME = Path("~/mir_datasets")


def dataset_root(spec: str, *, cache_dir: Path, data_home: Path) -> Path:
    """The folder of a data set; it need not exist.

    One whose class has no `sheet`, or a sheet that says `generated`, lies in the cache, where it
    may be deleted at any time.

    Args:
        spec: `name` or `name:option=value,...`.
        cache_dir: folder of the cache.
        data_home: folder of the data sets that no program here can make; `~` is expanded.

    Raises:
        ConfigError: the name is unknown, or `~` stands for nobody's home.
    """
    name, _ = parse_spec(spec)
    sheet = getattr(DATASETS.get(name), "sheet", None)
    if sheet is None or sheet.generated:
        return cache_dir / "datasets" / name
    try:
        return data_home.expanduser() / name
    except RuntimeError as error:
        raise ConfigError(f"data_home '{data_home}': {error}; name a folder in full") from error
