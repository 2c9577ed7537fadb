"""mirdata as a library: brought in when first needed, kept quiet, its index in the data's folder.

mirdata 1.0 keeps the index of a data set (which track has which files, with their checksums) inside
its own installed package, where a new environment loses it and a shared one may not be written.
Here the index lies beside the data, under mirdata's own file name; one that mirdata downloaded into
its package before is used where it lies.
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

from mirprobe.core.errors import ConfigError
from mirprobe_tasks.datasets.mirdata.transfer import guarded

log = logging.getLogger(__name__)

_NOT_VERSIONS = ("default", "sample", "test")  # keys of mirdata's INDEXES that name no release


class _Errors(logging.Handler):
    """The errors among what mirdata tells the root logger."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(" ".join(record.getMessage().split()))


@contextmanager
def quiet() -> Iterator[None]:
    """Keep mirdata's chatter out of the output: it logs to the root logger, and sets it up too.

    Nothing that is raised is held back, and errors that it logs are logged here, one line each.
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
    """mirdata's object for a data set in `root`; reads no file of it yet.

    Args:
        name: mirdata's name of it.
        root: its folder.
        version: one of mirdata's, or `default`.

    Raises:
        ConfigError: mirdata is not installed, or does not know the version.
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
        index.remote.destination_dir = None  # what mirdata calls `save_dir`
    dataset._index_data = index
    beside = index.get_path()
    dataset.index_path = (
        elsewhere if Path(elsewhere).is_file() and not Path(beside).is_file() else beside
    )
    return dataset


def track_ids(dataset: Any, name: str) -> list[str]:
    """The ids of its index.

    Raises:
        ConfigError: there is no index, or it is none.
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
        raise ConfigError(f"data set '{name}' is not there: no index {path}; {where}")
    try:
        return list(dataset.track_ids)
    except (json.JSONDecodeError, UnicodeDecodeError, AttributeError) as error:
        raise ConfigError(
            f"{path}: is not an index of mirdata ({error}); delete it and run "
            f"`mirprobe data prepare {name}`"
        ) from error


def download(dataset: Any, name: str, remotes: Sequence[str], by_hand: str) -> None:
    """Fetch and unpack, with mirdata's bars and checksums; whole files are not fetched again.

    A file that was cut short is fetched anew, and no archive writes outside of its folder.

    Args:
        dataset: from `open_dataset`.
        name: of it.
        remotes: which of mirdata's parts; none means all.
        by_hand: how to get it otherwise, for the error line.

    Raises:
        ConfigError: there is nothing to fetch, or a part cannot be had, is damaged or would
            write outside of its folder.
    """
    if not dataset.remotes and dataset._index_data.remote is None:
        if Path(dataset.index_path).is_file():
            return  # put there by hand
        raise ConfigError(f"data set '{name}' cannot be downloaded: {by_hand}")
    try:
        with quiet(), guarded():
            # a list of its own: mirdata appends to what it is given
            dataset.download(partial_download=list(remotes) or None)
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, tarfile.TarError) as error:
        raise ConfigError(
            f"data set '{name}' cannot be fetched ({error}); run again, what is whole is kept, but "
            f"delete a file first that is named as corrupted; or by hand: {by_hand}"
        ) from error


def _loader(name: str) -> ModuleType:
    try:
        with quiet():
            return importlib.import_module(f"mirdata.datasets.{name}")
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"data set '{name}' needs mirdata, which is not installed ({error}); "
            "install mirprobe[data]"
        ) from error
