"""Access to mirdata: lazy import, quiet logging, and the index in the folder of the data.

mirdata 1.0 stores the index of a data set (the files of each track with their checksums) in its
installed package. A new environment does not have it, and a shared one may be read-only. This
module stores the index beside the data, under mirdata's file name. An index that mirdata has
already downloaded into its package is used there.
"""

from __future__ import annotations

import copy
import importlib
import json
import logging
import tarfile
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from mirprobe.core.errors import ConfigError, MissingDataError
from mirprobe_tasks.datasets.mirdata.safe_download import safe_downloads

log = logging.getLogger(__name__)

_NOT_VERSIONS = ("default", "sample", "test")  # keys of mirdata's INDEXES that are no releases


class _Errors(logging.Handler):
    """Collects the errors that mirdata logs to the root logger."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(" ".join(record.getMessage().split()))


@contextmanager
def quiet() -> Iterator[None]:
    """Suppress log messages and warnings of mirdata, which configures and uses the root logger.

    Exceptions pass. Errors that mirdata logs are logged by this module, one line each.
    """
    root, errors = logging.getLogger(), _Errors()
    handlers, level = root.handlers, root.level
    root.handlers = [errors]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        root.handlers = handlers
        root.setLevel(level)
        for line in errors.lines:
            log.error("%s", line)


def open_dataset(name: str, root: Path, version: str) -> Any:
    """mirdata's object for a data set in `root`; does not read a file yet.

    Args:
        name: of the data set in mirdata.
        root: folder of the data set.
        version: of mirdata's index, or `default`.

    Raises:
        ConfigError: mirdata is not installed, or has no such version.
    """
    module = _loader(name)
    known = [key for key in module.INDEXES if key not in _NOT_VERSIONS]
    if version != "default" and version not in known:
        raise ConfigError(f"{name}: unknown version '{version}'; known: {', '.join(known)}")
    dataset = module.Dataset(data_home=str(root), version=version)
    index = copy.deepcopy(module.INDEXES[dataset.version])
    elsewhere = index.get_path()
    index.indexes_dir = str(root)
    if index.remote is not None:
        index.remote.destination_dir = None  # the index goes to `indexes_dir`
    dataset._index_data = index
    beside = index.get_path()
    dataset.index_path = (
        elsewhere if Path(elsewhere).is_file() and not Path(beside).is_file() else beside
    )
    return dataset


def track_ids(dataset: Any, name: str) -> list[str]:
    """The track ids in the index of a data set.

    Raises:
        ConfigError: the index is missing or damaged.
    """
    path = Path(dataset.index_path)
    if not path.is_file():
        remote = dataset._index_data.remote
        where = (
            f"run `mirprobe data prepare {name}`, or fetch {remote.url} and put it there"
            if remote is not None
            else f"mirdata does not offer it: take tests/indexes/{path.name} of its source and "
            "put it there"
        )
        raise MissingDataError(f"data set '{name}' is missing: no index {path}; {where}")
    try:
        return list(dataset.track_ids)
    except (json.JSONDecodeError, UnicodeDecodeError, AttributeError) as error:
        raise ConfigError(
            f"{path}: is not an index of mirdata ({error}); delete it and run "
            f"`mirprobe data prepare {name}`"
        ) from error


def download(dataset: Any, name: str, remotes: Sequence[str], by_hand: str) -> None:
    """Download and unpack, with mirdata's progress bars and checksums.

    A complete file is not downloaded again, an incomplete one is. No archive writes outside of its
    folder.

    Args:
        dataset: from `open_dataset`.
        name: of the data set.
        remotes: names of mirdata's parts; empty for all.
        by_hand: how to get the data without mirdata, for the error message.

    Raises:
        ConfigError: mirdata has no download, or a part cannot be downloaded, is damaged or would
            write outside of its folder.
    """
    if not dataset.remotes and dataset._index_data.remote is None:
        if Path(dataset.index_path).is_file():
            return  # put there by hand
        raise ConfigError(f"data set '{name}' cannot be downloaded: {by_hand}")
    try:
        with quiet(), safe_downloads():
            # a copy, since mirdata appends to the list
            dataset.download(partial_download=list(remotes) or None)
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, tarfile.TarError) as error:
        raise ConfigError(
            f"data set '{name}' cannot be downloaded ({error}); run the command again, which keeps "
            f"complete files; delete a corrupted file first; or by hand: {by_hand}"
        ) from error


def _loader(name: str) -> ModuleType:
    try:
        with quiet():
            return importlib.import_module(f"mirdata.datasets.{name}")
    except ModuleNotFoundError as error:
        raise MissingDataError(
            f"data set '{name}' needs mirdata, which is not installed ({error}); "
            "install mirprobe[data]"
        ) from error
