"""Safe downloads and extraction of archives with mirdata.

mirdata 1.0 downloads a file under its final name, so that an incomplete file looks complete, and
extracts archives to any path that the names of their members contain. Within `safe_downloads` a
file has the suffix `.part` until its checksum is verified, and an archive is checked before it is
extracted.
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
_CONTROL = re.compile(r"[\x00-\x1f]")  # decoding may turn them into dots and slashes


@contextmanager
def safe_downloads() -> Iterator[None]:
    """Replace the download and extraction functions of mirdata by safe ones.

    Within the context, they raise ValueError on an archive that would write outside of its folder
    or contains links.
    """
    from mirdata import download_utils

    fetch, unzip = download_utils.download_from_remote, download_utils.unzip
    untar = download_utils.untar

    def fetch_whole(remote: Any, save_dir: str, force_overwrite: bool, *rest: Any) -> str:
        folder = Path(save_dir, remote.destination_dir or "")
        target = folder / remote.filename
        if target.exists() and not force_overwrite:
            return str(fetch(remote, save_dir, force_overwrite, *rest))  # verifies the checksum
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
    """Check the members of a ZIP archive. mirdata extracts links as plain files, which is harmless.

    Raises:
        ValueError: a member would be written outside of the folder of the archive.
        zipfile.BadZipFile: the archive is damaged.
    """
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            _check_name(path, name)


def check_tar(path: Path) -> None:
    """Check the members of a tar archive, compressed or not.

    Raises:
        ValueError: a member would be written outside of the folder of the archive, or is neither a
            file nor a folder.
        tarfile.TarError: the archive is damaged.
    """
    with tarfile.open(path) as archive:
        for member in archive:
            _check_name(path, member.name)
            if not (member.isfile() or member.isdir()):
                raise ValueError(
                    f"{path} contains '{member.name}', a link or device; it is not extracted"
                )


def _check_name(path: Path, name: str) -> None:
    if _OUTSIDE.match(name) or _CONTROL.search(name):
        raise ValueError(
            f"{path} contains {name!r}, which would be written outside of its folder; it is not "
            "extracted"
        )
