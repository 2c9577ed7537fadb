"""Specifications and folders of data sets.

The folder of a generated data set is in the cache, that of any other one in the data home.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mirprobe.api.dataset import Dataset, sheet_of
from mirprobe.api.registry import DATASETS
from mirprobe.api.specs import FILE_SPEC, is_file_spec, spec_name, split_unquoted
from mirprobe.core.errors import ConfigError
from mirprobe.core.hashing import digest

DATA_HOME = Path("~/mir_datasets")


@dataclass(frozen=True)
class DataFolders:
    """The folders of data sets.

    Attributes:
        cache_dir: folder of the cache. It has the data sets whose class has no `sheet`, or one with
            `generated`; they may be deleted at any time.
        data_home: folder of all other data sets; `~` is expanded.
    """

    cache_dir: Path = Path("embeddings_cache")
    data_home: Path = DATA_HOME

    def root(self, spec: str) -> Path:
        """The folder of a data set; it need not exist.

        Args:
            spec: `name:option=value,...` or `path/to/file.py:Class:option=value,...`.

        Raises:
            ConfigError: the name is unknown, or `~` cannot be expanded.
        """
        sheet, name = sheet_of(DATASETS.get(spec)), spec_name(spec)
        if sheet is None or sheet.generated:
            found = FILE_SPEC.fullmatch(spec)
            if found:  # classes of one name in two files, or of other options, share no folder
                path = str(Path(spec.partition(".py")[0]).expanduser().resolve())
                options = sorted(filter(None, split_unquoted(found["options"] or "", ",")))
                name += f"-{digest(path, *options)[:8]}"
            return self.cache_dir / "datasets" / name
        try:
            return self.data_home.expanduser() / name
        except RuntimeError as error:
            raise ConfigError(
                f"data_home '{self.data_home}': {error}; name a folder in full"
            ) from error

    def open(self, spec: str) -> Dataset:
        """Build a data set with its folder.

        Raises:
            ConfigError: the name is unknown or the data set refuses an option.
        """
        return DATASETS.create(spec, root=self.root(spec))


def joined_specs(spec: str) -> list[str]:
    """The specifications in `A+B`; a list of one if there is no `+`.

    A `+` in the value of an option, such as a path, is part of the value unless the name of a data
    set or a file follows.
    """
    if "+" not in spec:
        return [spec.strip()]
    parts: list[str] = []
    known = DATASETS.names()
    for part in spec.split("+"):
        starts = part.strip().partition(":")[0] in known or is_file_spec(part.strip())
        if parts and ":" in parts[-1] and not starts:
            parts[-1] += f"+{part}"
        else:
            parts.append(part)
    return [part.strip() for part in parts]
