"""What mirdata fetches and unpacks, made safe while a data set is downloaded.

mirdata 1.0 fetches a file under its own name, so that one that was cut short stands where the whole
one belongs, and unpacks archives wherever their members' names lead. Inside `guarded` a file has
the ending `.part` until its checksum is right, and an archive is looked through before anything of
it is written.
"""

from __future__ import annotations

import copy
import os
import re
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PART = ".part"

_OUTSIDE = re.compile(r"[/\\]|[A-Za-z]:|(.*[/\\])?\.\.([/\\]|$)")
_CONTROL = re.compile(r"[\x00-\x1f]")  # they could become dots and slashes when a name is decoded


@contextmanager
def guarded() -> Iterator[None]:
    """Replace mirdata's own fetching and unpacking by what this module says.

    Raises:
        ValueError: inside, for an archive that would write outside of its folder, or holds links.
    """
    from mirdata import download_utils

    fetch, unzip = download_utils.download_from_remote, download_utils.unzip
    untar = download_utils.untar

    def fetch_whole(remote: Any, save_dir: str, force_overwrite: bool, *rest: Any) -> str:
        folder = Path(save_dir, remote.destination_dir or "")
        target = folder / remote.filename
        if target.exists() and not force_overwrite:
            return str(fetch(remote, save_dir, force_overwrite, *rest))  # looks at its checksum
        part = copy.copy(remote)
        part.filename = remote.filename + PART
        done = fetch(part, save_dir, True, *rest)
        os.replace(done, target)
        return str(target)

    def unzip_checked(zip_path: str, cleanup: bool) -> None:
        check_zip(Path(zip_path))
        unzip(zip_path, cleanup)

    def untar_checked(tar_path: str, cleanup: bool) -> None:
        check_tar(Path(tar_path))
        untar(tar_path, cleanup)

    replaced = {
        "download_from_remote": fetch_whole,
        "unzip": unzip_checked,
        "untar": untar_checked,
    }
    own = {name: getattr(download_utils, name) for name in replaced}
    for name, function in replaced.items():
        setattr(download_utils, name, function)
    try:
        yield
    finally:
        for name, function in own.items():
            setattr(download_utils, name, function)


def check_zip(path: Path) -> None:
    """Look through a ZIP archive. Links in it are harmless: mirdata writes them as plain files.

    Raises:
        ValueError: a member would lie outside of the archive's folder.
        zipfile.BadZipFile: it is damaged.
    """
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            _check_name(path, name)


def check_tar(path: Path) -> None:
    """Look through a tar archive, compressed or not.

    Raises:
        ValueError: a member would lie outside of the archive's folder, or is neither a file nor a
            folder: links need not lead out to be of no use in a data set.
        tarfile.TarError: it is damaged.
    """
    with tarfile.open(path) as archive:
        for member in archive:
            _check_name(path, member.name)
            if not (member.isfile() or member.isdir()):
                raise ValueError(
                    f"{path} holds '{member.name}', which is a link or device; it is not unpacked"
                )


def _check_name(path: Path, name: str) -> None:
    if _OUTSIDE.match(name) or _CONTROL.search(name):
        raise ValueError(
            f"{path} holds {name!r}, which would be written outside of its folder; it is not "
            "unpacked"
        )
