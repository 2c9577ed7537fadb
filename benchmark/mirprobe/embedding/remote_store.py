"""Files at an address such as `s3://bucket/path`, through fsspec.

Credentials and regions come from the configuration of fsspec and from the environment variables
of the store's package.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from mirprobe.core.errors import ConfigError, StorageError

CACHE = Path("embeddings_cache")
"""The default folder of the cache."""

_WHOLE = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "oss", "oci", "memory"}
"""Stores in which a file becomes visible only when it is complete."""


def is_url(place: str | Path) -> bool:
    """Whether the place of a cache is an address. It must be a string: `Path` removes a slash."""
    return isinstance(place, str) and "://" in place


def local_folder(place: str | Path) -> Path:
    """The local folder of a cache, for generated data sets and hashes of files.

    For a cache at an address it is the default folder, `embeddings_cache`.
    """
    return CACHE if is_url(place) else Path(place)


class RemoteStore:
    """A folder of files at `url`.

    Raises:
        ConfigError: fsspec, or its package for such addresses, is not installed; no file system
            has such addresses; or a password stands in it.
    """

    def __init__(self, url: str) -> None:
        try:
            import fsspec
        except ImportError as error:
            raise ConfigError(
                f"cache '{url}': addresses need fsspec; pip install 'mirprobe[remote]'"
            ) from error
        if urlsplit(url).password is not None:
            raise ConfigError(
                "the cache's address holds a password, which results would show; put it into "
                "fsspec's configuration (~/.config/fsspec)"
            )
        try:
            self._files, root = fsspec.url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise ConfigError(f"cache '{url}': {error}; or name a folder") from error
        self.url = url.rstrip("/")
        self._root = str(root).rstrip("/")
        self._folders: set[str] = set()
        protocol = self._files.protocol
        names = {protocol} if isinstance(protocol, str) else set(protocol)
        self._puts_whole = bool(names & _WHOLE)

    def exists(self, name: str) -> bool:
        """Whether the file exists.

        Raises:
            StorageError: the store does not answer.
        """
        with self._fails("looked up", name):
            # other machines write too, so fsspec's listing may be out of date
            self._files.invalidate_cache()
            return bool(self._files.exists(self._path(name)))

    def read(self, name: str) -> bytes | None:
        """The content of a file, or None if it does not exist.

        Raises:
            StorageError: the store does not answer, or refuses.
        """
        with self._fails("read", name):
            try:
                content: bytes = self._files.cat_file(self._path(name))
            except FileNotFoundError:
                return None
            return content

    def write(self, name: str, content: bytes) -> None:
        """Write a file atomically.

        Raises:
            StorageError: the store does not answer, or refuses.
        """
        path = self._path(name)
        folder = path.rpartition("/")[0]
        with self._fails("written", name):
            if self._puts_whole:  # without folders: to make one could make a bucket
                self._files.pipe_file(path, content)
                return
            if folder not in self._folders:
                self._files.makedirs(folder, exist_ok=True)
                self._folders.add(folder)
            temporary = f"{folder}/.{uuid4().hex}.tmp"
            self._files.pipe_file(temporary, content)
            self._files.mv(temporary, path)

    def files(self, folder: str) -> Iterator[tuple[str, int, float]]:
        """Name, size in bytes, and time in seconds since the epoch, of each file in a folder.

        Raises:
            StorageError: the store does not answer, or refuses.
        """
        with self._fails("listed", folder):
            self._files.invalidate_cache()
            found = self._files.find(self._path(folder), detail=True)
            for path, facts in found.items():
                written = self._files.modified(path).timestamp()
                yield str(path)[len(self._root) + 1 :], int(facts["size"]), written

    def part(self, name: str, start: int, stop: int) -> bytes:
        """Bytes `start` to `stop` of a file.

        Raises:
            StorageError: the store does not answer, or refuses.
        """
        with self._fails("read", name):
            content: bytes = self._files.cat_file(self._path(name), start=start, end=stop)
        return content

    def delete(self, name: str) -> None:
        """Delete a file if it exists.

        Raises:
            StorageError: the store does not answer, or refuses.
        """
        with self._fails("deleted", name):
            try:
                self._files.rm_file(self._path(name))
            except FileNotFoundError:
                return

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    @contextmanager
    def _fails(self, what: str, name: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # every store's package has its own exceptions
            reason: Any = str(error) or type(error).__name__
            raise StorageError(
                f"{self.url}/{name}: cannot be {what} ({type(error).__name__}: {reason}); check "
                "address, credentials and network; what was written before is kept"
            ) from error
